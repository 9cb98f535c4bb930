#include "actors/cluster/leaving.hpp"

#include "config/errc.hpp"

#include <algorithm>
#include <utility>

namespace troupe::member_parts {

namespace {

using namespace std::chrono_literals;

constexpr auto hear_time_max = 1s; ///< for others to take note that this node retires

/// Calls `done` once all others have answered, or have had the time to.
template <class Done, class... Ts>
void ask_all(self_pointer self, caf::timespan time_max, Done done, Ts... message) {
  const auto missing = std::make_shared<size_t>(self->state.peers.size());
  if (*missing == 0)
    return done();
  auto count = [missing, done]() mutable {
    if (--*missing == 0)
      done();
  };
  for (const auto& [name, peer] : self->state.peers)
    self->request(caf::actor_cast<caf::actor>(peer.membership), time_max, message...)
      .then(count, [count](const caf::error&) mutable { count(); });
}

} // namespace

void answer_all(std::vector<caf::typed_response_promise<caf::unit_t>>& waiting, const caf::error& problem) {
  for (auto& promise : std::exchange(waiting, {})) {
    if (problem)
      promise.deliver(problem);
    else
      promise.deliver(caf::unit);
  }
}

caf::result<caf::unit_t> drain(self_pointer self, const std::string& name, caf::timespan patience) {
  auto& st = self->state;
  if (name == st.settings.self.name) {
    st.awaiting_finish.push_back(self->make_response_promise<caf::unit_t>());
    auto promise = st.awaiting_finish.back();
    if (st.finished)
      answer_all(st.awaiting_finish, {});
    st.settings.leave(patience);
    return promise;
  }
  const auto found = st.peers.find(name);
  if (found == st.peers.end() || found->second.left)
    return make_error(errc::invalid_argument, "there is no node of the name " + name);
  auto promise = self->make_response_promise<caf::unit_t>();
  found->second.awaiting_leave.push_back(promise);
  // It is answered with the other's goodbye. CAF answers nothing that was asked of a node that is lost: `lose` does.
  self
    ->request(caf::actor_cast<caf::actor>(found->second.membership), caf::infinite, atom::drain::value, name, patience)
    .then([] {},
          [self, name](const caf::error& why) {
            if (const auto asked = self->state.peers.find(name); asked != self->state.peers.end())
              answer_all(asked->second.awaiting_leave, why);
          });
  return promise;
}

caf::result<bool> retire(self_pointer self) {
  auto& st = self->state;
  st.settings.self.draining = true;
  tell_all(self);
  auto promise = self->make_response_promise<bool>();
  const auto answer = [self, promise]() mutable {
    promise.deliver(std::ranges::any_of(self->state.peers, [](const auto& peer) {
      return peer.second.what.roles.balancer && !peer.second.what.draining;
    }));
  };
  ask_all(self, hear_time_max, answer, atom::retire::value);
  return promise;
}

caf::result<caf::unit_t> finish(self_pointer self, caf::timespan patience) {
  auto& st = self->state;
  st.finishing = true;
  tell_followers(self);
  auto promise = self->make_response_promise<caf::unit_t>();
  const auto done = [self](caf::typed_response_promise<caf::unit_t> to, const caf::error& problem) {
    self->state.finished = true;
    self->state.awaiting_finish.push_back(std::move(to)); // the last, so that the others have been answered before it
    answer_all(self->state.awaiting_finish, problem);
  };
  if (!st.worker)
    done(promise, {});
  else
    self->request(caf::actor_cast<caf::actor>(st.worker), caf::infinite, atom::drain::value, patience)
      .then([done, promise] { done(promise, {}); }, [done, promise](const caf::error& why) { done(promise, why); });
  return promise;
}

caf::result<caf::unit_t> say_goodbye(self_pointer self, caf::timespan time_max) {
  self->state.gone = true;
  self->state.settings.close();
  auto promise = self->make_response_promise<caf::unit_t>();
  ask_all(
    self, time_max, [promise]() mutable { promise.deliver(caf::unit); }, atom::goodbye::value);
  return promise;
}

} // namespace troupe::member_parts
