#pragma once

#include "actor_fixture.hpp"

namespace troupe::test {

/// A worker that does what a balancer's test says with invocations, and nothing with anything else.
template <class Invoke, class Refuse, class Follow>
worker_actor::behavior_type fake_worker(Invoke invoke, Refuse refuse, Follow follow) {
  return {
    std::move(invoke),
    std::move(refuse),
    std::move(follow),
    [](atom::alive, uint64_t) {},
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::all, bool) {},
    [](atom::retire, const uuid&, const digest&) {},
    [](atom::flush) { return caf::unit; },
    [](atom::status) { return worker_status{}; },
    [](atom::drain, caf::timespan) { return caf::unit; },
  };
}

template <class Invoke, class Refuse>
worker_actor::behavior_type fake_worker(Invoke invoke, Refuse refuse) {
  return fake_worker(std::move(invoke), std::move(refuse), [](atom::follow, const dispatcher_actor&) {});
}

} // namespace troupe::test
