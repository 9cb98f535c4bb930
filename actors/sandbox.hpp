#pragma once

#include "actors/accounting.hpp"
#include "actors/answering.hpp"
#include "actors/launcher.hpp"
#include "actors/messages.hpp"
#include "actors/pacing.hpp"
#include "actors/sandbox_link.hpp"
#include "actors/sandbox_pool.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace troupe {

/// A sandbox that never became ready: what that is to an invocation which waited for it.
struct failed_start {
  measures what;
  std::string document; ///< the handler's own words; empty when it could not say anything
  std::string log;      ///< what it wrote
  handlers::sandbox_death death;
};

/// A sandbox that never ran its function's code.
struct failed_set_up {
  std::string why;
  std::chrono::steady_clock::time_point ordered; ///< when its worker had it made
};

/// How a sandbox ended, for its worker.
struct sandbox_end {
  sandbox_slot slot = 0;
  uuid revision;
  std::optional<usage_record> record; ///< of the invocation it died with
  std::optional<failed_start> failed;
  std::optional<failed_set_up> no_set_up{};
};

} // namespace troupe

// These pass between actors of one node only.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::wire::reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::sandbox_end)

namespace troupe {

/// What a worker hears from its sandboxes, besides what everybody may ask of it.
using worker_inner = worker_actor::extend<
  caf::reacts_to<atom::ready, sandbox_slot>,
  // The run has ended; this is its record, with a nil id when the ledger has it already or nothing was run; and how
  // long of it the handler was on a core or waited for one, zero when nobody has looked.
  caf::reacts_to<atom::idle, sandbox_slot, usage_record, caf::timespan>,
  // The process is gone. The actor hands back what still comes to it until the worker sends `stop`, the last message
  // between the two.
  caf::reacts_to<atom::gone, sandbox_end>,
  // The idle sandbox stands still, and holds that much memory (bytes).
  caf::reacts_to<atom::frozen, sandbox_slot, uint64_t>,
  // From a sandbox that has ended before it could run this: it goes to the head of the queue.
  caf::replies_to<atom::again, invocation>::with<outcome>,
  // To itself: balancers are asked for a sign of life.
  caf::reacts_to<atom::alive>,
  // To itself: time has passed; the number tells the tick that was asked for last.
  caf::reacts_to<atom::tick, uint64_t>>;

/// What a sandbox hears from its own link; `gone`: the process that was killed has ended.
using sandbox_inner = sandbox_actor::extend<caf::reacts_to<atom::frame, wire::reply>, caf::reacts_to<atom::closed>,
                                            caf::reacts_to<atom::deadline>, caf::reacts_to<atom::gone>>;

struct sandbox_settings {
  io_loop* loop = nullptr; ///< of the io thread
  worker_inner worker;
  launcher_actor launcher;
  ledger_actor ledger;
  accountant books;
  answer_order order = answer_order::at_once;
  std::chrono::milliseconds freeze_after{10};
  std::shared_ptr<const worker_load> load; ///< of the worker, which keeps it up to date on this thread; may be empty
  sandbox_slot slot = 0;
  function_ptr function;
  std::chrono::steady_clock::time_point launched; ///< when the worker ordered it
  handlers::sandbox_role role = handlers::sandbox_role::sandbox;
};

struct sandbox_state {
  enum class phase : uint8_t { starting, idle, busy, stopping, gone };

  sandbox_state() = default;
  sandbox_state(const sandbox_state&) = delete;
  sandbox_state& operator=(const sandbox_state&) = delete;

  /// An actor that fails owes an answer for its run: a promise of CAF that nobody keeps says nothing.
  ~sandbox_state();

  sandbox_settings settings;
  process_ptr process;
  std::shared_ptr<sandbox_link> link;
  phase now = phase::starting;
  std::function<void()> at_end;    ///< what is left to do once the process has ended
  bool orphaned = false;           ///< its worker has ended
  std::chrono::nanoseconds init{}; ///< of the sandbox, until its first run has taken it
  bool has_run = false;            ///< anything at all
  bool frozen = false;             ///< only when it is idle
  std::chrono::nanoseconds cpu{};  ///< of the process, when it was last looked at
  uint64_t memory_peak_bytes = 0;  ///< the same, and when that was
  std::chrono::steady_clock::time_point peak_seen{};
  bool ran_long = true; ///< its latest run; the first one may do so
  pacing pace;
  std::chrono::steady_clock::time_point rests_since;

  // Of the run that goes on:
  invocation call;
  caf::typed_response_promise<outcome> promise;
  std::chrono::steady_clock::time_point began;
  std::chrono::steady_clock::time_point deadline; ///< of the init or the run, whichever goes on
  measures what;
  std::optional<std::chrono::nanoseconds> waited_before; ///< for a core, when it began and that was looked at
  std::chrono::nanoseconds on_core{}; ///< or waiting for one, once it has ended; zero when nobody has looked

  static inline const char* name = "sandbox";
};

/// Runs cooperatively on the io thread; `process` is starting.
sandbox_inner::behavior_type sandbox(sandbox_inner::stateful_pointer<sandbox_state> self, sandbox_settings settings,
                                     process_ptr process);

} // namespace troupe
