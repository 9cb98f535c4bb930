#define CAF_SUITE actors.ledger

#include "actors/ledger.hpp"

#include "actor_fixture.hpp"
#include "config/limits.hpp"

using namespace troupe;

namespace {

struct fixture : test::actor_fixture {
  fixture() {
    db = *storage::database::open(directory.path / "db", storage::database::access::owner);
    ledger = caf::actor_cast<ledger_actor>(sys.spawn(troupe::ledger, db));
  }

  ~fixture() override { caf::anon_send_exit(ledger, caf::exit_reason::kill); }

  template <class R, class... Ts>
  R ask(Ts... message) {
    R result;
    caf::scoped_actor asker{sys};
    auto handle = asker->request(ledger, caf::infinite, std::move(message)...);
    run();
    handle.receive([&](R& answer) { result = std::move(answer); },
                   [&](caf::error& e) { CAF_FAIL("the ledger failed: " << what_of(e)); });
    return result;
  }

  usage_record record(invocation_status status, uint64_t run_ns) {
    usage_record r;
    r.id = uuid::make();
    r.tenant = "default";
    r.function = "echo";
    r.status = status;
    r.start_ns = std::chrono::nanoseconds{r.id.time()}.count();
    r.run_ns = run_ns;
    r.billed_ms = 1;
    r.memory_limit_mb = 128;
    r.cost_pico = 3;
    return r;
  }

  test::scratch_directory directory;
  std::shared_ptr<storage::database> db;
  ledger_actor ledger;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(ledger_tests, fixture)

CAF_TEST(appended records can be read and add up) {
  const std::vector batch{record(invocation_status::ok, 10), record(invocation_status::error, 20)};
  caf::anon_send(ledger, atom::append::value, batch);
  CAF_CHECK_EQUAL(ask<std::vector<usage_record>>(atom::records::value, ledger_filter{}).size(), 2u);
  const auto rows = ask<std::vector<usage_row>>(atom::usage::value, ledger_filter{});
  CAF_REQUIRE_EQUAL(rows.size(), 1u);
  CAF_CHECK_EQUAL(rows[0].totals.invocations, 2u);
  CAF_CHECK_EQUAL(rows[0].totals.errors, 1u);
  CAF_CHECK_EQUAL(rows[0].totals.cost_pico, 6u);
  const auto report = ask<verify_report>(atom::verify::value);
  CAF_CHECK_EQUAL(report.records, 2u);
  CAF_CHECK(report.faults.empty());
}

CAF_TEST(metrics count by status and time) {
  const std::vector batch{record(invocation_status::ok, 60'000), record(invocation_status::throttled, 0)};
  caf::anon_send(ledger, atom::append::value, batch);
  const auto metrics = ask<std::vector<function_metrics>>(atom::metrics::value);
  CAF_REQUIRE_EQUAL(metrics.size(), 1u);
  CAF_CHECK_EQUAL(metrics[0].by_status.at(size_t(invocation_status::ok)), 1u);
  CAF_CHECK_EQUAL(metrics[0].by_status.at(size_t(invocation_status::throttled)), 1u);
  CAF_CHECK_EQUAL(metrics[0].run.counts.at(1), 1u); // above 50 us, up to 100 us
  CAF_CHECK_EQUAL(metrics[0].run.sum_ns, 60'000u);
  CAF_CHECK(metrics[0].init.counts.empty());
}

CAF_TEST(metrics are kept of the functions that were invoked last) {
  std::vector<usage_record> batch;
  for (size_t i = 0; i <= limits::metered_functions_max; ++i) {
    batch.push_back(record(invocation_status::ok, 10));
    batch.back().function = "f" + std::to_string(i);
    if (i == 1) { // the first one is asked again, the second is not
      batch.push_back(record(invocation_status::ok, 10));
      batch.back().function = "f0";
    }
  }
  caf::anon_send(ledger, atom::append::value, batch);
  const auto metrics = ask<std::vector<function_metrics>>(atom::metrics::value);
  CAF_REQUIRE_EQUAL(metrics.size(), limits::metered_functions_max);
  const auto has = [&](std::string_view name) {
    return std::ranges::count(metrics, name, &function_metrics::function);
  };
  CAF_CHECK_EQUAL(has("f0"), 1);
  CAF_CHECK_EQUAL(has("f1"), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
