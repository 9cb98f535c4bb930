#pragma once

#include "actors/fair_queue.hpp"
#include "config/ids.hpp"
#include "config/throttle.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "storage/records.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace troupe {

/// Names a sandbox inside its worker; used again once the sandbox is gone.
using sandbox_slot = uint32_t;

/// What a waiting invocation is to the pool: a number that the worker gave it.
using call_ticket = uint64_t;

/// What a tenant may have; 0: no limit.
struct tenant_limits {
  uint64_t memory_bytes = 0;
  uint32_t concurrency = 0; ///< runs at one time
  uint32_t weight = 1;
};

struct pool_settings {
  uint64_t memory_bytes = 0; ///< what all sandboxes may use together
  uint64_t blank_bytes = 0;  ///< of these, for the blank sandboxes, as long as there is enough
  uint32_t sandboxes_max = 0;
  uint32_t queue_limit = 0;  ///< waiting invocations, of all functions
  uint32_t launches_max = 0; ///< sandboxes that may be starting at one time: no more than the cores can get ready
  uint32_t loads_max = 0;    ///< the same, with those that have been starting for longer than `launch_time`
  /// One that has been starting for longer leaves its place: it loads its handler, and may do so for seconds.
  std::chrono::nanoseconds launch_time{100'000'000};
  /// A version whose loading takes longer gets a template when it needs a second sandbox; 0: none does.
  std::chrono::nanoseconds template_after{0};
  uint32_t width = 0;                                ///< how many short runs go on at one time: about twice the cores
  std::chrono::nanoseconds patience{1'000'000};      ///< a run that takes longer is not a short one
  std::chrono::nanoseconds start_after{3'000'000};   ///< how long to wait for a busy sandbox of a short function
  uint32_t cores = 1;                                ///< how many runs that burn CPU go on at one time
  std::chrono::nanoseconds wait_max{10'000'000'000}; ///< in the queue
  std::chrono::nanoseconds wait_for_core_max{60'000'000'000}; ///< the same, of a function whose runs burn CPU
  std::map<std::string, tenant_limits> tenants;               ///< one that is not named has no limits
};

/// Decides which sandbox runs which invocation, when a sandbox starts and which one has to make room: the heart of the
/// worker, without actors, clocks or processes. Events go in by its methods; `next` then says what to do, one action
/// at a time, until there is nothing to do.
///
/// The rules. An idle sandbox of the revision takes an invocation at once; of several the lowest-numbered, so that few
/// processes stay hot. Else the invocation waits for whichever comes first: a sandbox that falls idle, or the new one
/// that is started for it. At most `width` short runs (below `patience`) go on at one time, since more processes than
/// cores only take the cores from each other; a run that turns out long counts no more, and each tenant may have one
/// whatever the others have. So a function whose runs are short gets one more sandbox only when somebody has waited for
/// `start_after`, and never more than `width` besides those whose runs turned out long. While nothing is known of its
/// runs, at most twice `width` are starting. And no more than `launches_max` of all functions get ready at one time, or
/// none would be ready soon; those that load for long do not count (may_launch).
///
/// A long run may wait for something, and then others can use its core, or it burns CPU, and then more of them than
/// `cores` only make each other slower, and everybody who wakes up late. Which it is the pool learns from what is
/// measured. Of functions that burn, no more than `cores` runs go on; each tenant may have one whatever others have,
/// and who waits for that may wait longer. One that goes on for much longer than usual counts no more.
///
/// Fairness. Whose turn it is among tenants, fair_queue says: by run time and weight. A full queue pushes out the
/// newest of the tenant that has most waiting for its weight, unless that is the one who comes.
///
/// Templates. A revision that takes long to load gets a template with its second sandbox: a process that has loaded the
/// handler, of which all further ones are copies; they wait until it is there (sandbox_templates.cpp).
///
/// Memory. A sandbox counts with what it may use, its function's limit; one that stands still, with what it holds.
/// When there is no room, idle ones go, those first whose loss costs least (sandbox_room.cpp).
class sandbox_pool {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::nanoseconds;

  enum class state : uint8_t { vacant, starting, idle, busy, stopping, as_template };

  struct give {
    sandbox_slot slot;
    call_ticket call;
  };
  struct start {
    sandbox_slot slot;
    uuid revision;
    handlers::sandbox_role role = handlers::sandbox_role::sandbox;
    std::optional<sandbox_slot> copy_of{}; ///< a template
  };
  struct stop {
    sandbox_slot slot;
  };
  /// Blank sandboxes are wanted, or their memory is.
  struct blanks {
    bool wanted;
  };
  using action = std::variant<give, start, stop, blanks>;

  /// What became of an invocation that wants to run.
  struct admission {
    std::optional<throttle> refused;       ///< and then nothing has changed
    std::optional<call_ticket> pushed_out; ///< this one had to leave the queue for it
  };

  /// What was measured of a run.
  struct run_times {
    std::chrono::nanoseconds taken{};   ///< zero: nothing was run
    std::chrono::nanoseconds on_core{}; ///< of that, what it used of a core or waited for one; zero: nobody has looked
  };

  /// An invocation that has waited for too long, and what it waited for.
  struct expired {
    call_ticket call;
    throttle reason;
  };

  explicit sandbox_pool(pool_settings settings = {}) : settings_{std::move(settings)} {
    settings_.blank_bytes = std::min(settings_.blank_bytes, settings_.memory_bytes / 4);
  }

  /// An invocation wants to run.
  [[nodiscard]] admission submit(const storage::function_version& function, call_ticket call, time_point now);

  /// An invocation that `next` has given to a sandbox which had just ended: it is the next one of its function.
  void submit_again(const storage::function_version& function, call_ticket call, time_point now);

  /// A sandbox that was started is ready for invocations, or a template for copies.
  void ready(sandbox_slot slot, time_point now);

  /// The sandbox's run has ended.
  void idle(sandbox_slot slot, run_times run, time_point now);

  /// The idle sandbox stands still and holds that much; it can take no more until it is given an invocation.
  void frozen(sandbox_slot slot, uint64_t held_bytes);

  /// Keeps that many sandboxes, and their memory, for a function; 0 ends it.
  void reserve(const std::string& tenant, const std::string& function, uint32_t sandboxes, uint64_t memory_bytes);

  /// From now on no more runs of the function go on at one time, and it has no more sandboxes for new ones.
  void limit(const std::string& tenant, const std::string& function, uint32_t concurrency_max);

  /// The sandbox and its memory are gone, for whatever reason and in whatever state it was.
  void gone(sandbox_slot slot, time_point now);

  /// What to do now; nullopt when that is all.
  std::optional<action> next(time_point now);

  /// Takes the oldest waiting invocation of a revision out of the queue: it answers for a sandbox that failed.
  std::optional<call_ticket> take_waiting(const uuid& revision);

  /// Takes the invocations that have waited for `wait_max` out of the queue.
  std::vector<expired> expire(time_point now);

  /// When that has to be called next for those who were in the queue the last time.
  time_point next_expiry() const noexcept { return next_expiry_; }

  /// Stops, by way of `next`, the sandboxes that have been idle since before `limit`.
  void stop_idle_since(time_point limit);

  /// The revision is no longer deployed: its sandboxes stop once they are idle and nobody waits for them.
  void retire(const uuid& revision);

  /// The same for all revisions.
  void drain();

  /// Of a sandbox; nullptr when the slot is vacant.
  const uuid* revision_of(sandbox_slot slot) const noexcept {
    return slot < sandboxes_.size() && sandboxes_[slot].home ? &sandboxes_[slot].home->revision : nullptr;
  }

  /// Whether the mere passing of time may bring something to do: `next` wants to be called again soon.
  bool holding() const noexcept { return !blocked_.empty(); }

  /// Whether the revision has sandboxes or waiting invocations.
  bool knows(const uuid& revision) const { return groups_.contains(revision); }

  /// Its sandboxes, in any state.
  uint32_t sandboxes_of(const uuid& revision) const {
    const auto found = groups_.find(revision);
    return found == groups_.end() ? 0 : found->second->live;
  }

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

  struct group;

  /// What a run counts as while it goes on.
  enum class run_kind : uint8_t { uncounted, brief, burning };

  struct run_counts {
    uint32_t brief = 0;
    uint32_t burning = 0;

    uint32_t& of(run_kind kind) noexcept { return kind == run_kind::burning ? burning : brief; }
  };

  struct tenant_state {
    std::string name;
    tenant_limits limits;
    fair_queue::flow flow = 0;
    std::vector<group*> groups;
    std::deque<group*> runnable; ///< for these, `next` may find something to do
    std::deque<group*> blocked;  ///< these wait for an event or for time
    uint64_t memory = 0;         ///< of its sandboxes, as they count
    uint64_t stopping = 0;       ///< of that, of those that are ending
    uint32_t waiting = 0;
    uint32_t starting = 0;
    uint32_t running = 0;
    run_counts runs;
  };

  /// All revisions of a function together.
  struct function_state {
    uint32_t concurrency_max = storage::concurrency_unset;
    uint32_t reserved = 0;
    uint64_t reserved_bytes = 0;
    uint64_t memory = 0; ///< of its sandboxes, as they count
    uint32_t groups = 0;
    uint32_t live = 0; ///< sandboxes that are not stopping
    uint32_t running = 0;
  };

  /// The sandboxes and the queue of one revision.
  struct group {
    uuid revision;
    tenant_state* owner = nullptr;
    function_state* of = nullptr;
    std::string function_key;
    uint64_t memory_bytes = 0;
    std::deque<waiting_call> waiting;
    std::vector<sandbox_slot> idle; ///< the lowest slot last
    uint32_t starting = 0;
    uint32_t live = 0;                     ///< in any state
    uint32_t overlong = 0;                 ///< of these, busy for longer than they counted
    std::optional<duration> typical_run;   ///< when nothing else is in its way
    uint8_t burning = 0;                   ///< moves with each long run: up to burning_most, when all latest ones burnt
    duration init{2'000'000};              ///< of the latest sandbox; at first a guess
    std::optional<duration> shortest_load; ///< when nothing else was in its way
    std::optional<sandbox_slot> parent;    ///< its template, loading or loaded
    uint32_t templates = 0;                ///< in any state; not among `live`
    uint32_t template_failures = 0;
    throttle blocked_by = throttle::waited_too_long;
    bool retired = false;
    place where = place::nowhere;

    void learn(run_times run, duration patience) noexcept;
  };

  struct sandbox {
    group* home = nullptr;
    state now = state::vacant;
    time_point since{};     ///< of the state
    uint64_t memory = 0;    ///< as it counts
    uint64_t uses = 0;      ///< runs that it was given
    uint64_t worth = 0;     ///< while it is idle: see sandbox_room.cpp
    int64_t charged_us = 0; ///< to its tenant, for what goes on
    run_kind counted = run_kind::uncounted;
    bool overlong = false;   ///< its run was counted once and turned out long
    bool to_stop = false;    ///< idle for too long
    bool for_copies = false; ///< it is a template
    bool copied = false;     ///< from one
  };

  /// A run that counts until `due`; it may have ended since.
  struct counted_run {
    sandbox_slot slot;
    time_point since;
    time_point due;
  };

  static uint64_t memory_limit_of(const storage::function_version& function) noexcept {
    return uint64_t{function.config.memory_mb} * limits::mib;
  }

  // sandbox_groups.cpp
  group& group_of(const storage::function_version& function);
  tenant_state& tenant_of(const std::string& name);
  function_state& function_of(const std::string& tenant, const std::string& name, std::string& key);
  void erase_if_unused(group& g);
  std::optional<call_ticket> push_out_for(const tenant_state& who);
  call_ticket drop_front(group& g);
  void make_runnable(group& g);
  void wake_blocked();
  void wake_some(tenant_state& t, size_t count);
  static bool waits_for_its_own(const group& g) noexcept;
  void park(tenant_state& t, group& g);

  // sandbox_runs.cpp
  bool is_short(const group& g) const noexcept { return g.typical_run && *g.typical_run < settings_.patience; }
  bool burns(const group& g) const noexcept;
  bool has_to_wait(const group& g) const noexcept;
  duration wait_max_of(const group& g) const noexcept;
  void begin_count(sandbox_slot slot, time_point now);
  void end_count(sandbox& s);
  void end_run(sandbox& s);
  void outgrow(const counted_run& run);
  void age_runs(time_point now);
  void charge(sandbox& s, duration expected);
  void settle_charge(sandbox& s, duration real);

  // sandbox_pool.cpp
  bool wants_start(const group& g, time_point now) const noexcept;
  bool may_launch(const group& g, time_point now) const noexcept;
  void enter(sandbox_slot slot, state to, time_point now);
  void leave_idle(sandbox_slot slot);
  std::optional<action> next_of(group& g, time_point now);
  std::optional<action> give_to(group& g, time_point now);
  std::optional<action> replace_one(group& g, time_point now);
  std::optional<action> start_for(group& g, time_point now);
  std::optional<action> blocked(group& g, throttle why) noexcept;
  action stop_one(sandbox_slot slot, time_point now);
  sandbox_slot vacant_slot();

  // sandbox_templates.cpp
  bool has_template(const group& g) const noexcept;
  bool waits_for_template(const group& g) const noexcept;
  bool wants_template(const group& g) const noexcept;
  action start_template(group& g, time_point now);
  void template_ready(sandbox_slot slot, time_point now);
  void template_gone(sandbox_slot slot);
  bool is_template(sandbox_slot slot) const noexcept;
  std::optional<action> stop_template(group& g, time_point now);

  // sandbox_room.cpp
  struct room_found {
    bool enough = false;
    std::optional<action> first; ///< to be done to get there
  };
  enum class wanted_for : uint8_t { new_sandbox, idle_sandbox };
  room_found room_for(group& g, wanted_for what, uint64_t bytes, sandbox_slot spared, time_point now);
  room_found evict(const tenant_state* of, sandbox_slot spared, time_point now);
  std::optional<action> restore_blanks();
  std::pair<uint32_t, uint64_t> kept_for_others(const function_state* who) const noexcept;
  uint64_t reclaimable(sandbox_slot spared) const noexcept;
  std::optional<sandbox_slot> least_worth(const tenant_state* of, sandbox_slot spared) const;
  void appraise(sandbox& s) noexcept;
  void count_as(sandbox& s, uint64_t bytes) noexcept;
  uint64_t memory_in(state which) const noexcept { return memory_in_[static_cast<size_t>(which)]; }

  static constexpr sandbox_slot no_slot = UINT32_MAX;

  pool_settings settings_;
  std::vector<sandbox> sandboxes_; ///< by slot
  std::unordered_map<uuid, std::unique_ptr<group>> groups_;
  std::unordered_map<std::string, std::unique_ptr<tenant_state>> tenants_;
  std::unordered_map<std::string, std::unique_ptr<function_state>> functions_; ///< by tenant and name
  std::vector<function_state*> reservations_;
  fair_queue turns_; ///< of tenants with something runnable
  std::vector<tenant_state*> by_flow_;
  time_point next_expiry_ = time_point::max();
  std::deque<tenant_state*> blocked_;     ///< tenants with something blocked
  std::deque<counted_run> brief_runs_;    ///< the oldest first
  std::vector<counted_run> burning_runs_; ///< looked at when the first of them is due
  time_point burning_due_ = time_point::max();
  run_counts runs_; ///< of all tenants
  std::vector<sandbox_slot> starting_;
  std::array<uint32_t, 6> counts_{}; ///< by state
  std::array<uint64_t, 6> memory_in_{};
  uint32_t waiting_ = 0;
  uint64_t memory_used_ = 0;
  uint64_t inflation_ = 0; ///< the worth of the last sandbox that made room
  bool blanks_wanted_ = true;
  bool draining_ = false;
};

} // namespace troupe
