#define CAF_SUITE actors.balancer

#include "actors/balancer.hpp"

#include "actor_fixture.hpp"

using namespace troupe;

namespace {

/// Answers with the revision that it was told to run.
worker_actor::behavior_type fake_worker(worker_actor::pointer) {
  return {
    [](atom::invoke, invocation& call) {
      outcome result;
      result.id = call.id;
      result.payload = call.function->revision.to_string();
      return result;
    },
    [](atom::refuse, const invocation&, throttle why) -> caf::result<outcome> { return make_throttled(why); },
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::retire, const uuid&, const digest&) {},
    [](atom::flush) { return caf::unit; },
    [](atom::status) { return worker_status{}; },
    [](atom::drain, caf::timespan) { return caf::unit; },
  };
}

struct fixture : test::actor_fixture {
  fixture() : worker{sys.spawn(fake_worker)}, balancer{sys.spawn(troupe::balancer, worker)} { run(); }

  void update(const function_version& version) {
    caf::anon_send(balancer, atom::update::value, function_ptr{version});
    run();
  }

  caf::expected<outcome> invoke(const std::string& name) {
    caf::expected<outcome> result{caf::sec::none};
    caf::scoped_actor asker{sys};
    auto handle = asker->request(balancer, caf::infinite, atom::invoke::value, test::call_of(name));
    run();
    handle.receive([&](outcome& o) { result = std::move(o); }, [&](caf::error& e) { result = std::move(e); });
    return result;
  }

  worker_actor worker;
  balancer_actor balancer;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(balancer_tests, fixture)

CAF_TEST(an unknown function is not found) {
  const auto result = invoke("echo");
  CAF_REQUIRE(!result);
  CAF_CHECK(code_of(result.error()) == errc::function_not_found);
}

CAF_TEST(an invocation goes to the worker with the present revision) {
  update(test::version_of("echo", 1));
  const auto first = invoke("echo");
  CAF_REQUIRE(first.engaged());
  CAF_CHECK_EQUAL(first->payload, test::version_of("echo", 1).revision.to_string());
  update(test::version_of("echo", 2));
  const auto second = invoke("echo");
  CAF_REQUIRE(second.engaged());
  CAF_CHECK_EQUAL(second->payload, test::version_of("echo", 2).revision.to_string());
}

CAF_TEST(a removed function is not found any more) {
  update(test::version_of("echo"));
  caf::anon_send(balancer, atom::remove::value, std::string{"default"}, std::string{"echo"});
  CAF_CHECK(!invoke("echo"));
}

CAF_TEST(a tenant does not see the functions of another) {
  auto other = test::version_of("echo");
  other.config.tenant = "other";
  update(other);
  CAF_CHECK(!invoke("echo"));
}

CAF_TEST_FIXTURE_SCOPE_END()
