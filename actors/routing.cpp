#include "actors/routing.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <algorithm>
#include <iterator>

namespace troupe::routing {

namespace {

/// The worker's sandbox for a run that ended so.
run_end end_of(const outcome& result) {
  switch (result.status) {
    case invocation_status::ok:
    case invocation_status::error: return result.cold ? run_end::cold : run_end::warm;
    case invocation_status::throttled: return run_end::refused;
    default: return run_end::broken;
  }
}

void send(self_pointer self, remote_calls::entry what, caf::error unless = {});

/// Whether another worker may have what this one has not brought to an end.
bool may_go_elsewhere(const remote_calls::entry& what) {
  return !what.begun || what.call.repeatable || what.call.function->config.idempotent;
}

/// The worker has not brought it to an end, for that reason: another one gets it, or whoever waits hears why not.
void make_up_for(self_pointer self, remote_calls::entry what, caf::error why) {
  if (may_go_elsewhere(what) && what.sent < limits::workers_asked_max && self->clock().now() < what.deadline)
    send(self, std::move(what), std::move(why));
  else
    what.promise.deliver(std::move(why));
}

void come_back(self_pointer self, uint64_t ticket, outcome& result) {
  auto& st = self->state;
  auto back = st.away.take(ticket);
  if (!back)
    return; // given up: its node was taken for lost
  st.table.answered(back->trip, end_of(result));
  if (result.load)
    st.table.hear_load(back->trip, result.load->running, result.load->waiting);
  back->promise.deliver(std::move(result));
}

void fail(self_pointer self, uint64_t ticket, caf::error& why) {
  auto& st = self->state;
  auto back = st.away.take(ticket);
  if (!back)
    return;
  switch (code_of(why)) {
    case errc::shutting_down: // it takes nothing new, and has not begun this
      st.table.answered(back->trip, run_end::refused);
      st.table.refused(back->trip);
      back->begun = false;
      return make_up_for(self, std::move(*back), std::move(why));
    case errc::node_lost: // it has ended this half-way
      st.table.answered(back->trip, run_end::broken);
      return make_up_for(self, std::move(*back), std::move(why));
    default: st.table.answered(back->trip, run_end::refused); back->promise.deliver(std::move(why));
  }
}

/// When there is nobody who could have it, the answer is `unless`, if that says more.
void send(self_pointer self, remote_calls::entry what, caf::error unless) {
  auto& st = self->state;
  const auto& revision = what.call.function->revision;
  const auto chosen = st.choose.choose(st.table, revision, st.random);
  if (!chosen) {
    // Of what had not begun its node's loss says nothing.
    const bool says_more = unless && (code_of(unless) != errc::node_lost || what.begun);
    what.promise.deliver(says_more ? std::move(unless)
                                   : make_error(errc::unavailable, "no worker takes invocations at the moment"));
    return;
  }
  what.trip = st.table.sent(*chosen, revision);
  what.begun = true;
  ++what.sent;
  auto call = st.away.put(std::move(what)).call;
  const auto ticket = call.ticket;
  // No time limit: when the node is lost, `lose` answers.
  self->request(st.workers[*chosen], caf::infinite, atom::invoke::value, std::move(call))
    .then([self, ticket](outcome& result) { come_back(self, ticket, result); },
          [self, ticket](caf::error& why) { fail(self, ticket, why); });
}

/// The worker is gone. What was there is added to `lost`.
void lose(balancer_state& st, worker_index worker, std::vector<remote_calls::entry>& lost) {
  st.workers[worker] = worker_actor{};
  st.table.remove(worker);
  std::ranges::move(st.away.take_sent_to(worker), std::back_inserter(lost));
}

void meet(self_pointer self, const member& who) {
  auto& st = self->state;
  const auto index = st.table.add(who.name, {who.cores, who.load.memory_budget_bytes});
  if (!index)
    return;
  if (st.workers.size() <= *index)
    st.workers.resize(*index + 1);
  st.workers[*index] = who.worker;
  self->send(who.worker, atom::follow::value, caf::actor_cast<dispatcher_actor>(self));
}

constexpr auto tick_interval = std::chrono::milliseconds{250};

/// The worker that sent the message that is being handled.
std::optional<worker_index> sender_of(self_pointer self) {
  const auto& workers = self->state.workers;
  const auto who = caf::actor_cast<caf::actor_addr>(self->current_sender());
  const auto found = std::ranges::find_if(workers, [&](const auto& each) { return each && each.address() == who; });
  if (found == workers.end())
    return std::nullopt;
  return static_cast<worker_index>(found - workers.begin());
}

worker_report report_of(const member& who) {
  return {who.load.busy, who.load.waiting, who.load.idle + who.load.busy + who.load.starting, who.draining};
}

} // namespace

void learn(self_pointer self, const std::vector<member>& all) {
  auto& st = self->state;
  if (!st.clustered && all.size() > 1) {
    st.clustered = true;
    tick(self);
  }
  const auto has = [&](worker_index index) {
    return std::ranges::any_of(all, [&](const member& who) { return who.worker && who.worker == st.workers[index]; });
  };
  std::vector<remote_calls::entry> lost;
  for (worker_index index = 0; index < st.workers.size(); ++index)
    if (st.workers[index] && !has(index))
      lose(st, index, lost);
  for (const auto& who : all) {
    if (!who.worker)
      continue;
    if (!st.table.find(who.name))
      meet(self, who);
    if (const auto index = st.table.find(who.name))
      st.table.report(*index, report_of(who));
  }
  for (auto& each : lost) // now that it is known who else is there
    make_up_for(self, std::move(each), make_error(errc::node_lost));
}

void hear_load(self_pointer self, const member& who) {
  auto& st = self->state;
  const auto index = st.table.find(who.name);
  if (index && who.worker && st.workers[*index] == who.worker)
    st.table.report(*index, report_of(who));
}

caf::result<outcome> dispatch(self_pointer self, invocation& call) {
  auto promise = self->make_response_promise<outcome>();
  const auto deadline =
    self->clock().now() + std::chrono::seconds{call.function->config.timeout_s} + limits::answer_grace;
  send(self, {std::move(call), promise, {}, deadline});
  return promise;
}

void mark(self_pointer self, uint64_t ticket, bool begun) {
  if (auto* known = self->state.away.find(ticket))
    known->begun = begun;
}

void count_remaining(self_pointer self, const uuid& revision, uint32_t sandboxes) {
  if (const auto worker = sender_of(self))
    self->state.table.remaining(*worker, revision, sandboxes);
}

void say_alive(self_pointer self, uint64_t number) {
  if (const auto worker = sender_of(self))
    self->send(self->state.workers[*worker], atom::alive::value, number);
}

void tick(self_pointer self) {
  auto& st = self->state;
  self->delayed_send(self, tick_interval, atom::tick::value);
  for (auto& late : st.away.take_late(self->clock().now())) {
    st.table.answered(late.trip, run_end::refused);
    late.promise.deliver(make_error(errc::node_lost, "the worker has not answered in time: it may have run, so send it "
                                                     "again only if that does no harm"));
  }
}

} // namespace troupe::routing
