#define CAF_SUITE actors.routing

#include "actors/balancer.hpp"

#include "fake_worker.hpp"

using namespace troupe;

namespace {

/// A worker as the test has it.
struct played_worker {
  uint32_t asked = 0;
  bool draining = false; ///< refuses
  bool silent = false;   ///< never answers, as one on a node that is lost
};

worker_actor::behavior_type fake_worker(worker_actor::pointer self, played_worker* as) {
  return test::fake_worker(
    [self, as](atom::invoke, const invocation& call) -> caf::result<outcome> {
      ++as->asked;
      if (as->draining)
        return make_error(errc::shutting_down);
      if (as->silent)
        return self->make_response_promise<outcome>();
      outcome result;
      result.id = call.id;
      result.payload = call.payload;
      return result;
    },
    [](atom::refuse, const invocation&, throttle why) -> caf::result<outcome> { return make_throttled(why); });
}

struct fixture : test::actor_fixture {
  fixture() : balancer{sys.spawn(troupe::balancer, balancer_settings{{}, policy_kind::round_robin, {}})} {
    for (auto& each : played)
      workers.push_back(sys.spawn(fake_worker, &each));
    caf::anon_send(balancer, atom::update::value, function_ptr{test::version_of("echo", 1)});
    tell_members(2);
  }

  /// A node without a worker, and the first of the workers.
  void tell_members(size_t count) {
    std::vector<member> all(1);
    all[0].name = "store";
    for (size_t i = 0; i < count; ++i) {
      member who;
      who.name = "worker-" + std::to_string(i);
      who.worker = workers[i];
      who.load.ready = true;
      all.push_back(who);
    }
    caf::anon_send(balancer, atom::members::value, std::move(all));
    run();
  }

  /// What has become of an invocation; neither, while nothing has.
  struct answer {
    caf::optional<outcome> result;
    caf::error problem;
  };

  std::shared_ptr<answer> invoke() {
    auto call = test::call_of("echo");
    call.payload = "1";
    auto seen = std::make_shared<answer>();
    sys.spawn([seen, call, to = balancer](caf::event_based_actor* asker) {
      asker->request(to, caf::infinite, atom::invoke::value, call)
        .then([seen](outcome& result) { seen->result = std::move(result); },
              [seen](caf::error& why) { seen->problem = std::move(why); });
    });
    run();
    return seen;
  }

  std::array<played_worker, 3> played;
  std::vector<worker_actor> workers;
  balancer_inner balancer;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(routing_tests, fixture)

CAF_TEST(invocations are spread over the workers) {
  for (int i = 0; i < 4; ++i)
    CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[0].asked, 2u);
  CAF_CHECK_EQUAL(played[1].asked, 2u);
}

CAF_TEST(without a worker there is a clear error) {
  tell_members(0);
  CAF_CHECK(code_of(invoke()->problem) == errc::unavailable);
}

CAF_TEST(one that drains before anybody has heard of it costs nobody anything) {
  played[0].draining = true;
  for (int i = 0; i < 4; ++i)
    CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[1].asked, 4u);
}

CAF_TEST(when all drain the caller hears that) {
  played[0].draining = true;
  played[1].draining = true;
  CAF_CHECK(code_of(invoke()->problem) == errc::shutting_down);
}

CAF_TEST(what ran on a node that is lost is answered) {
  played[0].silent = true;
  played[1].silent = true;
  const auto first = invoke();
  const auto second = invoke();
  CAF_CHECK(!first->result && !first->problem);
  tell_members(1);
  // Round robin: one of the two was with the worker that is gone.
  const auto& lost = first->problem ? first : second;
  const auto& going_on = first->problem ? second : first;
  CAF_CHECK(code_of(lost->problem) == errc::node_lost);
  CAF_CHECK(!going_on->result && !going_on->problem);
  tell_members(0);
  CAF_CHECK(code_of(going_on->problem) == errc::node_lost);
}

CAF_TEST(a worker that is there anew is another one) {
  played[0].silent = true;
  const auto lost = invoke();
  const auto other = invoke();
  workers[0] = workers[2];
  tell_members(2);
  CAF_CHECK((lost->problem ? 1 : 0) + (other->problem ? 1 : 0) == 1);
  CAF_CHECK(invoke()->result);
  CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[2].asked, 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
