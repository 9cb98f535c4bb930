#define CAF_SUITE actors.balancer

#include "actors/balancer.hpp"

#include "fake_worker.hpp"

using namespace troupe;

namespace {

/// Answers with the revision that it was told to run, and remembers what it was told to refuse.
worker_actor::behavior_type fake_worker(worker_actor::pointer, std::vector<invocation>* refused) {
  return test::fake_worker(
    [](atom::invoke, invocation& call) {
      outcome result;
      result.id = call.id;
      result.payload = call.function->revision.to_string();
      return result;
    },
    [refused](atom::refuse, const invocation& call, throttle why) -> caf::result<outcome> {
      refused->push_back(call);
      return make_throttled(why);
    });
}

/// Remembers what it is given.
ledger_actor::behavior_type fake_ledger(ledger_actor::pointer, std::vector<usage_record>* kept) {
  return {
    [kept](atom::append, const std::vector<usage_record>& more) {
      kept->insert(kept->end(), more.begin(), more.end());
    },
    [](atom::append, const usage_record&, const outcome& result) { return result; },
    [](atom::flush) { return caf::unit; },
    [](atom::records, const ledger_filter&) { return std::vector<usage_record>{}; },
    [](atom::usage, const ledger_filter&) { return std::vector<usage_row>{}; },
    [](atom::verify) { return verify_report{}; },
    [](atom::metrics) { return std::vector<function_metrics>{}; },
  };
}

struct fixture : test::actor_fixture {
  fixture()
    : worker{sys.spawn(fake_worker, &refused)},
      balancer{sys.spawn(troupe::balancer, balancer_settings{worker, policy_kind::warm_first, tenants()})} {
    run();
  }

  /// One that may ask twice a second, and one whose other limits do not concern the balancer.
  static std::map<std::string, config::tenant_settings> tenants() {
    std::map<std::string, config::tenant_settings> result;
    result["limited"].requests_per_second = 2;
    result["other"].concurrency = 1;
    return result;
  }

  void update(const function_version& version) {
    caf::anon_send(balancer, atom::update::value, function_ptr{version});
    run();
  }

  caf::expected<outcome> invoke(const std::string& name, const std::string& tenant = "default") {
    auto call = test::call_of(name);
    call.tenant = tenant;
    caf::expected<outcome> result{caf::sec::none};
    caf::scoped_actor asker{sys};
    auto handle = asker->request(balancer, caf::infinite, atom::invoke::value, std::move(call));
    run();
    handle.receive([&](outcome& o) { result = std::move(o); }, [&](caf::error& e) { result = std::move(e); });
    return result;
  }

  std::vector<invocation> refused; ///< by the worker, because the balancer said so
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

CAF_TEST(what the store does not tell of any more is gone) {
  update(test::version_of("echo"));
  update(test::version_of("other"));
  caf::anon_send(balancer, atom::all::value, true);
  update(test::version_of("echo"));
  CAF_CHECK(invoke("other")); // it may still be told
  caf::anon_send(balancer, atom::all::value, false);
  run();
  CAF_CHECK(!invoke("other"));
  CAF_CHECK(invoke("echo"));
}

CAF_TEST(a tenant does not see the functions of another) {
  auto other = test::version_of("echo");
  other.config.tenant = "other";
  update(other);
  CAF_CHECK(!invoke("echo"));
  CAF_CHECK(invoke("echo", "other"));
}

CAF_TEST(a tenant that asks too often is refused and others are not ) {
  for (const auto* tenant : {"limited", "other"}) {
    auto function = test::version_of("echo");
    function.config.tenant = tenant;
    update(function);
  }
  CAF_CHECK(invoke("echo", "limited"));
  CAF_CHECK(invoke("echo", "limited"));
  const auto third = invoke("echo", "limited");
  CAF_REQUIRE(!third);
  CAF_CHECK(throttle_of(third.error()) == throttle::tenant_rate);
  // The worker, which keeps the books, has been told of it.
  CAF_REQUIRE_EQUAL(refused.size(), 1u);
  CAF_CHECK_EQUAL(refused[0].function->config.tenant, "limited");
  for (int i = 0; i < 10; ++i)
    CAF_CHECK(invoke("echo", "other"));
  sched.advance_time(std::chrono::milliseconds{500});
  CAF_CHECK(invoke("echo", "limited"));
  CAF_CHECK(!invoke("echo", "limited"));
  CAF_CHECK_EQUAL(refused.size(), 2u);
}

CAF_TEST(where there is no worker the ledger of the node has the record) {
  std::vector<usage_record> kept;
  const auto ledger = sys.spawn(fake_ledger, &kept);
  balancer_settings settings;
  settings.tenants = tenants();
  settings.ledger = ledger;
  settings.books = accountant{{}, "front"};
  balancer = caf::actor_cast<balancer_actor>(sys.spawn(troupe::balancer, std::move(settings)));
  auto function = test::version_of("echo");
  function.config.tenant = "limited";
  update(function);
  for (int i = 0; i < 2; ++i)
    CAF_CHECK(code_of(invoke("echo", "limited").error()) == errc::unavailable);
  CAF_CHECK(kept.empty());
  CAF_CHECK(throttle_of(invoke("echo", "limited").error()) == throttle::tenant_rate);
  CAF_REQUIRE_EQUAL(kept.size(), 1u);
  CAF_CHECK(kept[0].status == invocation_status::throttled);
  CAF_CHECK_EQUAL(kept[0].node, "front");
  CAF_CHECK_EQUAL(kept[0].tenant, "limited");
  CAF_CHECK_EQUAL(kept[0].cost_pico, 0u);
}

CAF_TEST(asking for what is not there counts as well) {
  for (int i = 0; i < 2; ++i)
    CAF_CHECK(code_of(invoke("nothing", "limited").error()) == errc::function_not_found);
  CAF_CHECK(throttle_of(invoke("nothing", "limited").error()) == throttle::tenant_rate);
  CAF_CHECK(refused.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
