#include "actors/sandbox.hpp"

#include "actors/process_watch.hpp"
#include "config/errc.hpp"
#include "handlers/sandbox/process.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace troupe {

namespace {

using namespace std::chrono_literals;
using self_pointer = sandbox_inner::stateful_pointer<sandbox_state>;
using phase = sandbox_state::phase;
using std::chrono::steady_clock;

/// Why a sandbox is ended.
enum class reason : uint8_t {
  stopped,     ///< the worker said so
  closed,      ///< the process ended, or closed its channel
  timed_out,   ///< the run or the init took too long
  load_failed, ///< loading the handler raised
};

// -- standing still --------------------------------------------------------------------------------------------------

/// From now on idle; after a while it stands still. Nothing that a handler has left running goes on unpaid then, and a
/// busy sandbox, which is idle for moments only, does not pay for that.
void rest(sandbox_state& st) {
  st.now = phase::idle;
  st.rests_since = steady_clock::now();
  st.link->set_deadline(st.rests_since + st.settings.freeze_after);
}

void freeze(self_pointer self) {
  auto& st = self->state;
  if (st.frozen || !st.process->standstill)
    return;
  st.frozen = st.process->standstill.freeze();
  if (!st.frozen) {
    spdlog::warn("a sandbox of {} does not stand still", st.settings.function->config.name);
    return;
  }
  if (const auto held = bytes_in(st.process->memory_now))
    self->send(st.settings.worker, atom::frozen::value, st.settings.slot, held);
}

void thaw(sandbox_state& st) {
  if (std::exchange(st.frozen, false) && !st.process->standstill.thaw())
    spdlog::error("a sandbox of {} does not go on", st.settings.function->config.name); // its deadline ends it
}

bool is_template(const sandbox_state& st) noexcept {
  return st.settings.role == handlers::sandbox_role::its_template;
}

// -- runs ------------------------------------------------------------------------------------------------------------

void run(self_pointer self, invocation& call) {
  auto& st = self->state;
  thaw(st);
  st.now = phase::busy;
  st.has_run = true;
  st.what = measures{.init = std::exchange(st.init, 0ns)};
  st.what.queued = since_received(call) - st.what.init;
  // What earlier runs have written is not this one's; what loading wrote is the first one's.
  if (call.wants_log && st.what.init == 0ns)
    st.link->take_log();
  const auto timeout = std::chrono::seconds{call.function->config.timeout_s};
  const auto deadline = std::chrono::system_clock::now() + timeout;
  st.began = steady_clock::now();
  if (const auto pace = st.pace.begins(st.began - st.rests_since, st.what.queued))
    handlers::set_pace(st.process->pid, *pace); // where the machine does not allow that, all stay as they are
  st.deadline = st.began + timeout;
  st.link->set_deadline(st.deadline);
  st.waited_before = st.ran_long ? std::optional{core_wait(st.process->pid)} : std::nullopt;
  auto payload = std::move(call.payload);
  st.call = std::move(call);
  st.link->send({st.call.id.to_string(),
                 std::chrono::floor<std::chrono::milliseconds>(deadline).time_since_epoch().count(),
                 st.call.client_context},
                std::move(payload));
}

/// Measures the run that has just ended. The peak costs a look into a file, so after short runs, which cannot have
/// touched much, it is looked at once in a while only; and what a long run did with its time is looked at when the run
/// before was long, too, since that takes a look at its begin.
void measure(sandbox_state& st, invocation_status status) {
  constexpr auto short_run = 1ms;
  constexpr auto once_in_a_while = 10ms;
  const auto now = steady_clock::now();
  st.what.status = status;
  // Never more than the function's timeout: a node that stood still for longer has not run it longer.
  const std::chrono::nanoseconds timeout = std::chrono::seconds{st.call.function->config.timeout_s};
  st.what.run = std::min<std::chrono::nanoseconds>(now - st.began - st.link->waited(), timeout);
  const auto cpu = cpu_time(st.process->pid);
  st.what.cpu = cpu - std::exchange(st.cpu, cpu);
  st.pace.ended(st.what.cpu);
  st.ran_long = st.what.run >= short_run;
  st.on_core = st.ran_long && st.waited_before ? st.what.cpu + core_wait(st.process->pid) - *st.waited_before : 0ns;
  if (st.ran_long || now - st.peak_seen >= once_in_a_while) {
    st.memory_peak_bytes = bytes_in(st.process->memory_peak);
    st.peak_seen = now;
  }
  st.what.memory_peak_bytes = st.memory_peak_bytes;
}

/// The outcome of the run that was measured, and its record.
std::pair<outcome, usage_record> conclude(sandbox_state& st, std::string payload) {
  st.what.bytes_out = payload.size();
  auto record = st.settings.books.record(st.call, st.what);
  outcome result{st.call.id,     st.what.status, std::move(payload), {},
                 record.version, record.run_ns,  record.init_ns > 0, {}};
  if (st.call.wants_log)
    result.log_tail = framed_log(record, st.link->take_log());
  if (st.settings.load && st.call.ticket != 0) {
    result.load = *st.settings.load;
    result.load->running -= std::min(result.load->running, 1U);
  }
  return {std::move(result), std::move(record)};
}

void tell_idle(self_pointer self, usage_record&& record) {
  const auto& st = self->state;
  self->send(st.settings.worker, atom::idle::value, st.settings.slot, std::move(record), st.on_core);
}

void finish(self_pointer self, wire::reply& reply) {
  auto& st = self->state;
  const bool raised = reply.header.flag == wire::reply_flag::raised;
  measure(st, raised ? invocation_status::error : invocation_status::ok);
  auto [result, record] = conclude(st, std::move(reply.payload));
  rest(st);
  // First the worker, which may have the next event for this handler, then whoever waits.
  answer(st.settings.order, st.settings.ledger, std::move(st.promise), std::move(result), std::move(record),
         [self](usage_record&& left) { tell_idle(self, std::move(left)); });
}

/// The event was no JSON, the process says. That is the client's fault, but what was used is billed: a handler could
/// say so, too, after it has worked.
void refuse(self_pointer self, std::string why) {
  auto& st = self->state;
  measure(st, invocation_status::error);
  auto record = conclude(st, {}).second;
  rest(st);
  tell_idle(self, std::move(record));
  why.resize(std::min(why.size(), limits::reason_bytes_max));
  st.promise.deliver(make_error(errc::invalid_payload, std::move(why)));
}

invocation_status status_of(reason why, const handlers::sandbox_death& death) {
  if (why == reason::timed_out)
    return invocation_status::timeout;
  if (why == reason::load_failed)
    return invocation_status::error;
  return death.why == handlers::sandbox_death::cause::out_of_memory ? invocation_status::out_of_memory
                                                                    : invocation_status::crash;
}

/// The invocation that the process died with.
void answer_for_death(self_pointer self, reason why, const handlers::sandbox_death& death, sandbox_end& last) {
  auto& st = self->state;
  if (why == reason::stopped) {
    st.promise.deliver(make_error(errc::node_lost, "the node stopped before the function had ended"));
    return;
  }
  st.what.status = status_of(why, death);
  st.what.memory_peak_bytes = std::max(st.what.memory_peak_bytes, death.memory_peak_bytes);
  auto [result, record] = conclude(st, failure_document(st.call, st.what.status, death));
  answer(st.settings.order, st.settings.ledger, std::move(st.promise), std::move(result), std::move(record),
         [&last](usage_record&& left) { last.record = std::move(left); });
}

/// The process is buried: the last answers, and the end of the actor.
void depart(self_pointer self, reason why, phase was, std::string document, const handlers::sandbox_death& death) {
  auto& st = self->state;
  sandbox_end last{st.settings.slot, st.settings.function->revision, {}, {}};
  if (was == phase::busy) {
    answer_for_death(self, why, death, last);
  } else if (is_template(st)) {
    if (why != reason::stopped)
      spdlog::warn("the template of {} has ended: its sandboxes load the handler themselves",
                   st.settings.function->config.name);
  } else if (!death.never_set_up.empty() && why != reason::stopped) {
    last.no_set_up = failed_set_up{death.never_set_up, st.settings.launched};
  } else if (!st.has_run && why != reason::stopped) {
    // Also when it was ready and broke before it was given anything: or whoever waits would wait for one after another.
    const auto init = steady_clock::now() - st.settings.launched;
    // The time is billed: the function's own code was given all of it.
    measures what{.status = status_of(why, death), .init = init, .run = init};
    what.memory_peak_bytes = death.memory_peak_bytes;
    last.failed = failed_start{what, std::move(document), st.link->take_log(), death};
  }
  st.link->close();
  st.now = phase::gone;
  self->send(st.settings.worker, atom::gone::value, std::move(last));
  if (st.orphaned)
    self->quit();
}

/// What the worker has attached for this monitor would keep the actor's memory until the worker ends.
void leave(self_pointer self) {
  self->demonitor(self->state.settings.worker.address());
  self->quit();
}

void bury(self_pointer self, reason why, phase was, const std::string& document) {
  auto& st = self->state;
  self->request(st.settings.launcher, caf::infinite, atom::bury::value, st.process)
    .then([self, why, was, document](const handlers::sandbox_death& death) { depart(self, why, was, document, death); },
          [self, why, was, document](const caf::error& error) {
            spdlog::error("a sandbox of {} could not be ended: {}", self->state.settings.function->config.name,
                          what_of(error));
            depart(self, why, was, document, {});
          });
}

/// Kills the process, whose end will be heard of. False when it cannot be watched.
bool kill(sandbox_state& st) {
  if (!st.process->pidfd || !st.link->await_end(st.process->pidfd))
    return false;
  st.process->standstill.thaw(); // or it would not see the signal (v1)
  handlers::send_kill(st.process->pidfd.get());
  st.link->set_deadline(steady_clock::now() + limits::kill_time_max);
  return true;
}

void end(self_pointer self, reason why, const std::string& document = {}) {
  auto& st = self->state;
  if (st.now == phase::stopping || st.now == phase::gone)
    return;
  const auto was = std::exchange(st.now, phase::stopping);
  st.process->starting.reset();
  st.link->stop_listening();
  if (was == phase::busy)
    measure(st, invocation_status::crash);
  // The launcher would wait for the end, and with it whoever wants a sandbox. A template's end may take its help.
  if (!is_template(st) && kill(st))
    st.at_end = [self, why, was, document] { bury(self, why, was, document); };
  else
    bury(self, why, was, document);
}

/// The process has ended, or that takes so long that the launcher has to see to it.
void finish_end(sandbox_state& st) {
  if (const auto todo = std::exchange(st.at_end, {}))
    todo();
}

void stop(self_pointer self) {
  if (self->state.now == phase::gone)
    leave(self);
  else
    end(self, reason::stopped);
}

/// A template's handler is loaded. If it can be copied, it waits for that, and the factory sees to it that it stands
/// still.
void offer_copies(self_pointer self) {
  auto& st = self->state;
  st.now = phase::idle;
  self->request(st.settings.launcher, caf::infinite, atom::examine::value, st.process)
    .then(
      [self](const std::string& unfit) {
        auto& state = self->state;
        if (state.now != phase::idle)
          return;
        const auto& settings = state.settings;
        if (!unfit.empty()) {
          spdlog::info("{} is loaded anew for each sandbox: {}", settings.function->config.name, unfit);
          end(self, reason::stopped);
          return;
        }
        self->send(settings.worker, atom::ready::value, settings.slot);
        if (const auto held = bytes_in(state.process->memory_now))
          self->send(settings.worker, atom::frozen::value, settings.slot, held);
      },
      [self](const caf::error&) { end(self, reason::stopped); });
}

/// The handler is loaded.
void start_serving(self_pointer self) {
  auto& st = self->state;
  st.process->starting.reset();
  if (is_template(st)) {
    offer_copies(self);
    return;
  }
  rest(st);
  st.init = steady_clock::now() - st.settings.launched;
  st.cpu = cpu_time(st.process->pid);
  self->send(st.settings.worker, atom::ready::value, st.settings.slot);
}

/// The time that the link was told to watch has passed, for one phase or the other.
void pass_deadline(self_pointer self) {
  auto& st = self->state;
  if (st.now == phase::stopping)
    finish_end(st);
  else if (st.now == phase::idle)
    freeze(self);
  else if (steady_clock::now() >= st.deadline) // or the time of rest was meant, and a run has begun since
    end(self, reason::timed_out);
}

void take_reply(self_pointer self, wire::reply& reply) {
  auto& st = self->state;
  const auto kind = reply.header.kind;
  if (st.now == phase::stopping || st.now == phase::gone)
    return;
  st.link->clear_deadline();
  if (st.now == phase::starting && kind == wire::frame_kind::ready)
    start_serving(self);
  else if (st.now == phase::starting && kind == wire::frame_kind::failed)
    end(self, reason::load_failed, reply.payload);
  else if (st.now == phase::busy && kind == wire::frame_kind::result)
    reply.header.flag == wire::reply_flag::invalid_event ? refuse(self, std::move(reply.payload)) : finish(self, reply);
  else
    end(self, reason::closed); // What a sound handler process never says.
}

sandbox_link::events events_for(self_pointer self) {
  // The link outlives no actor: `close` drops these handles.
  const auto to = caf::actor_cast<caf::actor>(self);
  return {
    .on_reply = [to](wire::reply reply) { caf::anon_send(to, atom::frame::value, std::move(reply)); },
    .on_closed = [to] { caf::anon_send(to, atom::closed::value); },
    .on_deadline = [to] { caf::anon_send(to, atom::deadline::value); },
    .on_ended = [to] { caf::anon_send(to, atom::gone::value); },
  };
}

} // namespace

sandbox_state::~sandbox_state() {
  if (promise.pending())
    promise.deliver(make_error(errc::internal, "the run was lost: what watched over its sandbox has failed"));
}

sandbox_inner::behavior_type sandbox(self_pointer self, sandbox_settings settings, process_ptr process) {
  auto& st = self->state;
  st.settings = std::move(settings);
  st.process = std::move(process);
  auto& loop = *st.settings.loop;
  const auto lane = loop.turns().lane_of(st.settings.function->config.tenant);
  st.link = sandbox_link::make(loop, lane, *st.process, events_for(self));
  st.deadline = steady_clock::now() + limits::init_time_max;
  st.link->set_deadline(st.deadline);
  // Without its worker a sandbox has nobody to serve.
  self->set_down_handler([self](const caf::down_msg&) {
    self->state.orphaned = true;
    stop(self);
  });
  self->monitor(st.settings.worker);
  return {
    [self](atom::invoke, invocation& call) -> caf::result<outcome> {
      auto& state = self->state;
      // The process has ended since the worker looked: back into the queue, nothing is lost.
      if (state.now != phase::idle)
        return self->delegate(state.settings.worker, atom::again::value, std::move(call));
      state.promise = self->make_response_promise<outcome>();
      run(self, call);
      return state.promise;
    },
    [self](atom::stop) { stop(self); },
    [self](atom::frame, wire::reply& reply) { take_reply(self, reply); },
    [self](atom::closed) { end(self, reason::closed); },
    [self](atom::deadline) { pass_deadline(self); },
    [self](atom::gone) { finish_end(self->state); },
  };
}

} // namespace troupe
