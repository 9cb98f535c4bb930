#pragma once

#include "config/ids.hpp"
#include "storage/records.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

namespace troupe {

/// Names a sandbox inside its worker; used again once the sandbox is gone.
using sandbox_slot = uint32_t;

/// What a waiting invocation is to the pool: a number that the worker gave it.
using call_ticket = uint64_t;

struct pool_settings {
  uint64_t memory_bytes = 0; ///< for the memory limits of all sandboxes together
  uint32_t sandboxes_max = 0;
  uint32_t queue_limit = 0;                          ///< waiting invocations, of all functions
  uint32_t launches_max = 0;                         ///< sandboxes that may be starting at one time
  uint32_t width = 0;                                ///< how many short runs go on at one time: about twice the cores
  std::chrono::nanoseconds patience{1'000'000};      ///< a run that takes longer is not a short one
  std::chrono::nanoseconds start_after{3'000'000};   ///< how long to wait for a busy sandbox of a short function
  std::chrono::nanoseconds wait_max{10'000'000'000}; ///< in the queue
};

/// Decides which sandbox runs which invocation, when a sandbox starts and which one has to make room: the heart of the
/// worker, without actors, clocks or processes. Events go in by its methods; `next` then says what to do, one action
/// at a time, until there is nothing to do.
///
/// The rules. An idle sandbox of the revision takes an invocation at once; of several the lowest-numbered, so that few
/// processes stay hot. Else the invocation waits for whichever comes first: a sandbox that falls idle, or the new one
/// that is started for it. At most `width` short runs (below `patience`) go on at one time, since more processes than
/// cores only take the cores from each other; a run that turns out long counts no more. So a function whose runs are
/// short gets one more sandbox only when somebody has waited for `start_after`, and never more than `width` besides
/// those whose runs turned out long. While nothing is known of its runs, at most twice `width` are starting. When
/// memory is short, the sandbox that has been idle for longest makes room.
class sandbox_pool {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::nanoseconds;

  enum class state : uint8_t { vacant, starting, idle, busy, stopping };

  struct give {
    sandbox_slot slot;
    call_ticket call;
  };
  struct start {
    sandbox_slot slot;
    uuid revision;
  };
  struct stop {
    sandbox_slot slot;
  };
  using action = std::variant<give, start, stop>;

  explicit sandbox_pool(pool_settings settings = {}) : settings_{settings} {}

  /// An invocation wants to run; false when the queue is full or the function is larger than the whole budget, and
  /// then nothing has changed.
  [[nodiscard]] bool submit(const storage::function_version& function, call_ticket call, time_point now);

  /// An invocation that `next` has given to a sandbox which had just ended: it is the next one of its function.
  void submit_again(const storage::function_version& function, call_ticket call, time_point now);

  /// A sandbox that was started is ready for invocations.
  void ready(sandbox_slot slot, time_point now);

  /// The sandbox's run has ended; it took `run`, or nothing was run and that is zero.
  void idle(sandbox_slot slot, duration run, time_point now);

  /// The sandbox and its memory are gone, for whatever reason and in whatever state it was.
  void gone(sandbox_slot slot);

  /// What to do now; nullopt when that is all.
  std::optional<action> next(time_point now);

  /// Takes the oldest waiting invocation of a revision out of the queue: it answers for a sandbox that failed.
  std::optional<call_ticket> take_waiting(const uuid& revision);

  /// Takes the invocations that have waited for `wait_max` out of the queue.
  std::vector<call_ticket> expire(time_point now);

  /// Stops, by way of `next`, the sandboxes that have been idle since before `limit`.
  void stop_idle_since(time_point limit);

  /// The revision is no longer deployed: its sandboxes stop once they are idle and nobody waits for them.
  void retire(const uuid& revision);

  /// The same for all revisions.
  void drain();

  /// Whether the mere passing of time may bring something to do: `next` wants to be called again soon.
  bool holding() const noexcept { return !blocked_.empty(); }

  /// Whether the revision has sandboxes or waiting invocations.
  bool knows(const uuid& revision) const { return groups_.contains(revision); }

  bool empty() const noexcept { return groups_.empty(); }
  uint32_t waiting() const noexcept { return waiting_; }
  uint32_t count(state which) const noexcept { return counts_[static_cast<size_t>(which)]; }
  uint64_t memory_used_bytes() const noexcept { return memory_used_; }

private:
  enum class place : uint8_t { nowhere, runnable, blocked };

  struct waiting_call {
    call_ticket call;
    time_point since;
  };

  /// The sandboxes and the queue of one revision.
  struct group {
    uuid revision;
    uint64_t memory_bytes = 0;
    std::deque<waiting_call> waiting;
    std::vector<sandbox_slot> idle; ///< the lowest slot last
    uint32_t starting = 0;
    uint32_t live = 0;                   ///< in any state
    uint32_t overlong = 0;               ///< of these, busy for longer than `patience`
    std::optional<duration> typical_run; ///< when nothing else is in its way
    bool retired = false;
    place where = place::nowhere;

    void learn(duration run) noexcept;
  };

  struct sandbox {
    group* home = nullptr;
    state now = state::vacant;
    time_point since{};    ///< of the state
    bool counted = false;  ///< among short_runs_
    bool overlong = false; ///< its run was counted once and turned out long
    bool to_stop = false;  ///< idle for too long
  };

  struct short_run {
    sandbox_slot slot;
    time_point since;
  };

  group& group_of(const storage::function_version& function);
  uint64_t memory_of(state which) const noexcept;
  bool is_short(const group& g) const noexcept { return g.typical_run && *g.typical_run < settings_.patience; }
  bool wants_start(const group& g, time_point now) const noexcept;
  void make_runnable(group& g);
  void wake_blocked();
  void enter(sandbox_slot slot, state to, time_point now);
  void leave_idle(sandbox_slot slot);
  void end_count(sandbox& s);
  void end_run(sandbox& s);
  void age_short_runs(time_point now);
  void erase_if_unused(group& g);
  std::optional<action> next_of(group& g, time_point now);
  std::optional<action> start_for(group& g, time_point now);
  std::optional<sandbox_slot> longest_idle() const;
  action stop_one(sandbox_slot slot, time_point now);
  sandbox_slot vacant_slot();

  pool_settings settings_;
  std::vector<sandbox> sandboxes_; ///< by slot
  std::unordered_map<uuid, std::unique_ptr<group>> groups_;
  std::deque<group*> runnable_; ///< for these, `next` may find something to do
  std::deque<group*> blocked_;  ///< these wait for an event or for time
  std::deque<short_run> short_runs_;
  uint32_t short_count_ = 0;
  std::array<uint32_t, 5> counts_{};
  uint32_t waiting_ = 0;
  uint64_t memory_used_ = 0;
  bool draining_ = false;
};

} // namespace troupe
