#include "actors/worker.hpp"

#include "actors/worker_steps.hpp"
#include "config/errc.hpp"

#include <spdlog/spdlog.h>

namespace troupe {

namespace working {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto hold_interval = 2ms; ///< between looks at a queue that waits for time to pass
/// Between looks at idle sandboxes.
steady_clock::duration sweep_interval(const worker_state& st) {
  return std::clamp<steady_clock::duration>(st.settings.idle_timeout / 4, 10ms, 1s);
}

// -- records ---------------------------------------------------------------------------------------------------------

void flush(self_pointer self) {
  auto& st = self->state;
  if (st.records.empty())
    return;
  self->send(st.settings.ledger, atom::append::value, std::exchange(st.records, {}));
  st.records.reserve(limits::ledger_batch_max);
}

} // namespace

void keep(self_pointer self, usage_record&& record) {
  auto& st = self->state;
  if (record.id.is_nil())
    return;
  if (st.records.empty())
    st.flush_due = steady_clock::now() + st.settings.flush_interval / 2;
  st.records.push_back(std::move(record));
  if (st.records.size() >= limits::ledger_batch_max || st.settings.flush_interval == 0ms)
    flush(self);
}

// -- the pool's actions ----------------------------------------------------------------------------------------------

namespace {

void carry_out(self_pointer self, const sandbox_pool::start& what) {
  start(self, what);
}

void carry_out(self_pointer self, const sandbox_pool::give& what) {
  auto& st = self->state;
  auto waiting = st.waiting.take(what.call);
  if (!is_heard(self, waiting.sender)) {
    waiting.promise.deliver(make_error(errc::shutting_down));
    st.pool.idle(what.slot, {}, steady_clock::now());
    return;
  }
  tell_begun(self, waiting);
  waiting.promise.delegate(caf::actor_cast<sandbox_actor>(st.sandboxes[what.slot].actor), atom::invoke::value,
                           std::move(waiting.call));
}

void carry_out(self_pointer self, const sandbox_pool::stop& what) {
  self->send(self->state.sandboxes[what.slot].actor, atom::stop::value);
}

void carry_out(self_pointer self, const sandbox_pool::blanks& what) {
  self->send(self->state.settings.launcher, atom::prepare::value, what.wanted);
}

// -- time ------------------------------------------------------------------------------------------------------------

void refuse(self_pointer self, const invocation& call, caf::typed_response_promise<outcome>& promise, throttle why) {
  keep(self, self->state.settings.books.throttled(call));
  promise.deliver(make_throttled(why));
}

/// One that has been waiting, and has to leave the queue.
void turn_away(self_pointer self, call_ticket ticket, throttle why) {
  auto what = self->state.waiting.take(ticket);
  refuse(self, what.call, what.promise, why);
}

/// Asks for a tick when the passing of time will bring something to do, and none is under way that comes in time.
void tick_soon(self_pointer self) {
  auto& st = self->state;
  auto delay = steady_clock::duration::max();
  const auto now = steady_clock::now();
  if (!st.pool.empty() || st.draining)
    delay = sweep_interval(st);
  if (st.draining && st.drain_until > now)
    delay = std::min<steady_clock::duration>(delay, st.drain_until - now);
  if (!st.records.empty())
    delay = std::min(delay, std::max(st.flush_due - now, steady_clock::duration{1ms}));
  if (const auto due = st.pool.next_expiry(); due != steady_clock::time_point::max())
    delay = std::min(delay, std::max<steady_clock::duration>(due - now, 1ms));
  if (st.pool.holding())
    delay = hold_interval;
  if (delay == steady_clock::duration::max() || st.next_tick <= now + delay)
    return;
  st.next_tick = now + delay;
  self->delayed_send(self, delay, atom::tick::value, ++st.expected_tick);
}

/// The patience of a drain is over.
void end_what_runs(self_pointer self) {
  auto& st = self->state;
  for (const auto& [revision, known] : st.revisions) {
    while (const auto ticket = st.pool.take_waiting(revision))
      st.waiting.fail(*ticket, make_error(errc::shutting_down));
  }
  for (const auto& box : st.sandboxes)
    if (box.actor)
      self->send(box.actor, atom::stop::value);
}

void tick(self_pointer self, uint64_t number) {
  auto& st = self->state;
  if (number != st.expected_tick)
    return; // An earlier one has been asked for since; each that were obeyed would ask for another.
  st.next_tick = steady_clock::time_point::max();
  const auto now = steady_clock::now();
  if (!st.records.empty() && now >= st.flush_due)
    flush(self);
  const auto expired = st.pool.expire(now);
  for (const auto& late : expired)
    turn_away(self, late.call, late.reason);
  if (now >= st.next_sweep) {
    st.next_sweep = now + sweep_interval(st);
    st.pool.stop_idle_since(now - st.settings.idle_timeout);
  }
  if (now >= st.drain_until)
    end_what_runs(self);
  settle(self);
  // Not at every tick: under load there are hundreds a second, and it looks at every revision.
  if (!expired.empty() || st.draining)
    forget_unused(self);
}

// -- the end ---------------------------------------------------------------------------------------------------------

} // namespace

void forget_unused(self_pointer self) {
  auto& st = self->state;
  std::erase_if(st.revisions, [&](const auto& known) { return !st.pool.knows(known.first); });
  std::erase_if(st.retired, [&](const auto& gone) {
    if (st.pool.knows(gone.first))
      return false;
    // Of several revisions with one bundle the last one releases it.
    const auto same = [&](const auto& known) { return known.second.function->bundle == gone.second; };
    if (std::none_of(st.revisions.begin(), st.revisions.end(), same))
      self->send(st.settings.store, atom::release::value, gone.second);
    return true;
  });
}

namespace {

void finish_drain(self_pointer self) {
  auto& st = self->state;
  if (!st.draining || !st.pool.empty())
    return;
  flush(self);
  for (auto& promise : std::exchange(st.drained, {}))
    promise.delegate(st.settings.ledger, atom::flush::value); // by then it has stored, and answered, all that ran here
}

} // namespace

void settle(self_pointer self) {
  auto& st = self->state;
  const auto now = steady_clock::now();
  while (auto action = st.pool.next(now))
    std::visit([self](const auto& what) { carry_out(self, what); }, *action);
  *st.load = {st.pool.count(sandbox_pool::state::busy), st.pool.waiting()};
  tick_soon(self);
  finish_drain(self);
}

// -- messages --------------------------------------------------------------------------------------------------------

namespace {

enum class arrival : uint8_t { first, again };

caf::result<outcome> take(self_pointer self, invocation& call, arrival which) {
  auto& st = self->state;
  const bool has_ticket = call.ticket != 0;
  // Before the promise, which takes it.
  const auto sender = has_ticket ? self->current_sender() : caf::strong_actor_ptr{};
  auto promise = self->make_response_promise<outcome>();
  if (st.draining || !is_heard(self, sender)) {
    promise.deliver(make_error(errc::shutting_down));
    return promise;
  }
  const auto ticket = st.waiting.next_ticket();
  if (which == arrival::again) {
    st.pool.submit_again(*call.function, ticket, steady_clock::now());
  } else {
    const auto admitted = st.pool.submit(*call.function, ticket, steady_clock::now());
    if (admitted.refused) {
      refuse(self, call, promise, *admitted.refused);
      return promise;
    }
    if (admitted.pushed_out)
      turn_away(self, *admitted.pushed_out, throttle::queue_full);
  }
  auto& known = st.revisions[call.function->revision];
  if (!known.function)
    known.function = call.function;
  st.waiting.put(ticket, {std::move(call), promise, sender});
  settle(self);
  if (has_ticket)
    tell_waiting(self, ticket);
  return promise;
}

void bid_farewell(self_pointer self, sandbox_end& last) {
  auto& st = self->state;
  if (last.record)
    keep(self, std::move(*last.record));
  self->send(std::exchange(st.sandboxes[last.slot], {}).actor, atom::stop::value);
  st.pool.gone(last.slot, steady_clock::now());
  tell_remaining(self, last.revision);
  if (last.no_set_up)
    answer_failed_set_up(self, last.revision, *last.no_set_up);
  if (last.failed)
    answer_failed_start(self, last.revision, *last.failed);
  settle(self);
  forget_unused(self);
}

/// A balancer is gone, or a sandbox's actor that ended without its farewell, which is a bug: its process has to go all
/// the same.
void miss(self_pointer self, const caf::down_msg& down) {
  auto& st = self->state;
  if (lose_follower(self, down.source))
    return;
  if (!down.reason || down.reason == caf::exit_reason::normal)
    return;
  const auto found = std::find_if(st.sandboxes.begin(), st.sandboxes.end(),
                                  [&](const auto& box) { return box.actor && box.actor.address() == down.source; });
  if (found == st.sandboxes.end())
    return;
  spdlog::error("a sandbox's actor has failed: {}", caf::to_string(down.reason));
  const auto slot = static_cast<sandbox_slot>(found - st.sandboxes.begin());
  const auto freed = [self, slot] {
    self->state.pool.gone(slot, steady_clock::now());
    settle(self);
    forget_unused(self);
  };
  self->request(st.settings.launcher, caf::infinite, atom::bury::value, std::exchange(*found, {}).process)
    .then([freed](const handlers::sandbox_death&) { freed(); }, [freed](const caf::error&) { freed(); });
}

worker_status status(const worker_state& st) {
  using state = sandbox_pool::state;
  worker_status now;
  now.starting = st.pool.count(state::starting);
  now.idle = st.pool.count(state::idle);
  now.busy = st.pool.count(state::busy);
  now.stopping = st.pool.count(state::stopping);
  now.templates = st.pool.count(state::as_template);
  if (const auto& ahead = st.settings.ahead) {
    now.blanks = ahead->blank_sandboxes;
    now.zygotes = ahead->zygotes;
    now.zygote_bytes = ahead->zygote_bytes;
  }
  now.waiting = st.pool.waiting();
  now.memory_used_bytes = st.pool.memory_used_bytes();
  now.memory_budget_bytes = st.settings.pool.memory_bytes;
  now.ready = !st.draining;
  return now;
}

/// The store has told of all functions.
void drop_untold(self_pointer self) {
  auto& st = self->state;
  std::erase_if(st.reserved, [&st](const auto& known) {
    const bool gone = known.second != st.round;
    if (gone)
      st.pool.reserve(known.first.first, known.first.second, 0, 0);
    return gone;
  });
  settle(self);
}

caf::result<caf::unit_t> drain(self_pointer self, caf::timespan patience) {
  auto& st = self->state;
  auto promise = self->make_response_promise<caf::unit_t>();
  st.drained.push_back(promise);
  st.drain_until = std::min(st.drain_until, steady_clock::now() + patience);
  st.draining = true;
  st.pool.drain();
  if (patience <= 0ns)
    end_what_runs(self);
  settle(self);
  return promise;
}

} // namespace

} // namespace working

worker_inner::behavior_type worker(working::self_pointer self, worker_settings settings) {
  using namespace working;
  self->state.pool = sandbox_pool{settings.pool};
  self->state.settings = std::move(settings);
  self->set_down_handler([self](const caf::down_msg& down) { miss(self, down); });
  return {
    [self](atom::invoke, invocation& call) { return take(self, call, arrival::first); },
    [self](atom::refuse, const invocation& call, throttle why) -> caf::result<outcome> {
      keep(self, self->state.settings.books.throttled(call));
      tick_soon(self);
      return make_throttled(why);
    },
    [self](atom::follow, const dispatcher_actor& who) { follow(self, who); },
    [self](atom::alive, uint64_t asked_ns) { hear_of_life(self, asked_ns); },
    [self](atom::update, const function_ptr& function) {
      const auto& config = function->config;
      self->state.pool.reserve(config.tenant, config.name, config.concurrency_reserved,
                               config.memory_mb * uint64_t{limits::mib});
      if (config.concurrency_reserved > 0)
        self->state.reserved.insert_or_assign({config.tenant, config.name}, self->state.round);
      self->state.pool.limit(config.tenant, config.name, config.concurrency_max);
      settle(self);
    },
    [self](atom::remove, const std::string& tenant, const std::string& name) {
      self->state.pool.reserve(tenant, name, 0, 0);
      self->state.reserved.erase({tenant, name});
      settle(self);
    },
    [self](atom::all, bool begins) { begins ? void(++self->state.round) : drop_untold(self); },
    [self](atom::retire, const uuid& revision, const digest& bundle) {
      self->state.retired.emplace(revision, bundle);
      self->state.pool.retire(revision);
      settle(self);
      forget_unused(self);
    },
    [self](atom::flush) -> caf::result<caf::unit_t> {
      flush(self);
      return caf::unit;
    },
    [self](atom::status) { return status(self->state); },
    [self](atom::drain, caf::timespan patience) { return drain(self, patience); },
    [self](atom::ready, sandbox_slot slot) {
      if (const auto* revision = self->state.pool.revision_of(slot))
        self->state.revisions[*revision].set_up_failed.reset();
      self->state.pool.ready(slot, steady_clock::now());
      settle(self);
    },
    [self](atom::idle, sandbox_slot slot, usage_record& record, caf::timespan on_core) {
      self->state.pool.idle(slot, {std::chrono::nanoseconds{record.run_ns}, on_core}, steady_clock::now());
      keep(self, std::move(record));
      settle(self);
    },
    [self](atom::frozen, sandbox_slot slot, uint64_t held_bytes) {
      self->state.pool.frozen(slot, held_bytes);
      settle(self);
    },
    [self](atom::gone, sandbox_end& last) { bid_farewell(self, last); },
    [self](atom::again, invocation& call) { return take(self, call, arrival::again); },
    [self](atom::tick, uint64_t number) { tick(self, number); },
    [self](atom::alive) { ask_for_life(self); },
  };
}

} // namespace troupe
