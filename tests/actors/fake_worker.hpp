#pragma once

#include "actor_fixture.hpp"

namespace troupe::test {

/// A worker that does what a balancer's test says with invocations, and nothing with anything else.
template <class Invoke, class Refuse>
worker_actor::behavior_type fake_worker(Invoke invoke, Refuse refuse) {
  return {
    std::move(invoke),
    std::move(refuse),
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::retire, const uuid&, const digest&) {},
    [](atom::flush) { return caf::unit; },
    [](atom::status) { return worker_status{}; },
    [](atom::drain, caf::timespan) { return caf::unit; },
  };
}

} // namespace troupe::test
