#include "actors/routing.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <algorithm>

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

void send(self_pointer self, remote_calls::entry what);

/// A worker that takes nothing new has not run it: another one may.
bool may_go_elsewhere(const caf::error& why) {
  return code_of(why) == errc::shutting_down;
}

void come_back(self_pointer self, uint64_t ticket, outcome& result) {
  auto& st = self->state;
  if (st.away.find(ticket) == nullptr)
    return; // given up: its node was taken for lost
  auto back = st.away.take(ticket);
  st.table.answered(back.trip, end_of(result));
  back.promise.deliver(std::move(result));
}

void fail(self_pointer self, uint64_t ticket, caf::error& why) {
  auto& st = self->state;
  if (st.away.find(ticket) == nullptr)
    return;
  auto back = st.away.take(ticket);
  st.table.answered(back.trip, run_end::refused);
  if (may_go_elsewhere(why) && back.sent < limits::workers_asked_max)
    send(self, std::move(back));
  else
    back.promise.deliver(std::move(why));
}

void send(self_pointer self, remote_calls::entry what) {
  auto& st = self->state;
  const auto chosen = st.choose.choose(st.table, what.call.function->revision, st.random);
  if (!chosen) {
    what.promise.deliver(make_error(errc::unavailable, "no worker takes invocations at the moment"));
    return;
  }
  what.trip = st.table.sent(*chosen, what.call.function->revision);
  ++what.sent;
  auto call = what.call;
  const auto ticket = st.away.put(std::move(what));
  // No time limit: when the node is lost, `lose` answers.
  self->request(st.workers[*chosen], caf::infinite, atom::invoke::value, std::move(call))
    .then([self, ticket](outcome& result) { come_back(self, ticket, result); },
          [self, ticket](caf::error& why) { fail(self, ticket, why); });
}

void lose(self_pointer self, worker_index worker) {
  auto& st = self->state;
  st.workers[worker] = worker_actor{};
  st.table.remove(worker);
  for (const auto ticket : st.away.sent_to(worker))
    st.away.take(ticket).promise.deliver(make_error(errc::node_lost));
}

void meet(self_pointer self, const member& who) {
  auto& st = self->state;
  const auto index = st.table.add(who.name, {who.cores, who.load.memory_budget_bytes});
  if (!index)
    return;
  if (st.workers.size() <= *index)
    st.workers.resize(*index + 1);
  st.workers[*index] = who.worker;
}

} // namespace

void learn(self_pointer self, const std::vector<member>& all) {
  auto& st = self->state;
  st.clustered = st.clustered || all.size() > 1;
  const auto has = [&](worker_index index) {
    return std::ranges::any_of(all, [&](const member& who) { return who.worker && who.worker == st.workers[index]; });
  };
  for (worker_index index = 0; index < st.workers.size(); ++index)
    if (st.workers[index] && !has(index))
      lose(self, index);
  for (const auto& who : all) {
    if (!who.worker)
      continue;
    if (!st.table.find(who.name))
      meet(self, who);
    if (const auto index = st.table.find(who.name))
      st.table.report(
        *index, {who.load.busy, who.load.waiting, who.load.idle + who.load.busy + who.load.starting, who.draining});
  }
}

caf::result<outcome> dispatch(self_pointer self, invocation& call) {
  auto promise = self->make_response_promise<outcome>();
  send(self, {std::move(call), promise, {}, 0});
  return promise;
}

} // namespace troupe::routing
