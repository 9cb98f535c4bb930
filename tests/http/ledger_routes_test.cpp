#define CAF_SUITE http.ledger_routes

#include "http/ledger_routes.hpp"

#include "actors/cluster/roll.hpp"
#include "http/ledger_json.hpp"

#include <boost/json/parse.hpp>

#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t first_ms = 1'769'860'800'123;

usage_record record_of(uint64_t ms) {
  usage_record record;
  record.id = uuid::floor_of(std::chrono::milliseconds{ms});
  record.function = "f \"quoted\"";
  record.version = "$LATEST";
  record.node = "n1";
  record.status = invocation_status::out_of_memory;
  record.start_ns = static_cast<int64_t>(ms) * 1'000'000 + 999'999;
  record.run_ns = UINT64_MAX;
  return record;
}

test::node_options with_history() {
  auto options = test::test_node::ready();
  for (uint64_t i = 1; i <= 5; ++i)
    options.ledger.records.push_back(record_of(first_ms + i));
  usage_row row;
  row.function = "f";
  row.hour = 491'628;
  row.totals.invocations = 4;
  row.totals.cost_pico = 12;
  options.ledger.rows = {row};
  return options;
}

/// Holds a record until it is told to hand it over, and then answers, unless it is a silent one.
worker_actor::behavior_type holding_worker(worker_actor::stateful_pointer<test::balancer_memory> self,
                                           ledger_actor ledger, usage_record held, bool is_silent) {
  return {
    [](atom::invoke, const invocation&) -> caf::result<outcome> { return make_error(errc::internal); },
    [](atom::refuse, const invocation&, throttle why) -> caf::result<outcome> { return make_throttled(why); },
    [](atom::follow, const dispatcher_actor&) {},
    [](atom::alive, uint64_t) {},
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::all, bool) {},
    [](atom::retire, const uuid&, const digest&) {},
    [self, ledger, held, is_silent](atom::flush) -> caf::result<caf::unit_t> {
      if (is_silent)
        return self->make_response_promise<caf::unit_t>();
      self->send(ledger, atom::append::value, std::vector{held});
      return caf::unit;
    },
    [](atom::status) { return worker_status{}; },
    [](atom::drain, caf::timespan) { return caf::unit; },
  };
}

/// Makes the node one of four: n2 has a worker and the record 6, n3 no worker and the record 0, n4 is gone. With
/// `strike` something happens to n2's worker or to n3's ledger.
enum class strike : uint8_t { none, silent_worker, dead_ledger };

test::node_options in_cluster(strike what) {
  auto options = with_history();
  options.gateway_sweep = 20ms;
  options.join = [what, rows = options.ledger.rows](caf::actor_system& system, node_actors& actors) {
    std::vector<member> all(4);
    for (size_t i = 0; i < all.size(); ++i)
      all[i].name = "n" + std::to_string(i + 1);
    all[0].worker = actors.worker;
    all[0].ledger = actors.ledger;
    all[1].ledger = system.spawn(test::fake_ledger, test::ledger_memory{{}, rows, {}});
    all[1].worker = system.spawn(holding_worker, all[1].ledger, record_of(first_ms + 6), what == strike::silent_worker);
    all[2].ledger = system.spawn(test::fake_ledger, test::ledger_memory{{record_of(first_ms)}, rows, {}});
    if (what == strike::dead_ledger)
      caf::anon_send_exit(all[2].ledger, caf::exit_reason::kill);
    const auto calling = system.spawn(roll);
    caf::anon_send(calling, atom::members::value, all);
    all.pop_back();
    caf::anon_send(calling, atom::members::value, all);
    actors.membership = system.spawn(test::fake_membership, all);
    actors.roll = calling;
  };
  return options;
}

struct fixture {
  test::test_node node{with_history()};

  boost::json::value get(std::string_view target) { return boost::json::parse(node.ask("GET", target).body); }
};

struct cluster {
  explicit cluster(strike what = strike::none) : node{in_cluster(what)} {}

  boost::json::value get(std::string_view target) { return boost::json::parse(node.ask("GET", target).body); }

  /// The milliseconds behind `first_ms` in the ids of all records, page by page.
  std::vector<uint64_t> numbers_by(size_t limit) {
    std::vector<uint64_t> numbers;
    std::string after;
    for (;;) {
      const auto page = get("/v1/invocations?limit=" + std::to_string(limit) + after).as_object();
      for (const auto& record : page.at("records").as_array()) {
        const auto id = uuid::parse(std::string_view{record.at("id").as_string()});
        numbers.push_back(static_cast<uint64_t>(id->time().count()) - first_ms);
      }
      if (!page.contains("next"))
        return numbers;
      after = "&after=" + std::string{page.at("next").as_string()};
    }
  }

  test::test_node node;
};

const char* const four_nodes = R"([{"name":"n1","answered":true},{"name":"n2","answered":true},)"
                               R"({"name":"n3","answered":true},)"
                               R"({"name":"n4","answered":false,"reason":"the node is gone"}])";

} // namespace

CAF_TEST_FIXTURE_SCOPE(ledger_routes_tests, fixture)

CAF_TEST(records are paged by their ids) {
  const auto first = get("/v1/invocations?limit=3").as_object();
  CAF_CHECK_EQUAL(first.at("records").as_array().size(), 3u);
  const std::string next{first.at("next").as_string()};
  CAF_CHECK(first.at("records").at(2).at("id") == boost::json::string{next});
  const auto last = get("/v1/invocations?limit=3&after=" + next).as_object();
  CAF_CHECK_EQUAL(last.at("records").as_array().size(), 2u);
  CAF_CHECK(!last.contains("next"));
  CAF_CHECK(!get("/v1/invocations?limit=5").as_object().contains("next"));
}

CAF_TEST(a record shows all that was used) {
  const auto record = get("/v1/invocations").at("records").at(0).as_object();
  CAF_CHECK(record.at("start") == "2026-01-31T12:00:00.124Z");
  CAF_CHECK(record.at("function") == "f \"quoted\"");
  CAF_CHECK(record.at("status") == "out_of_memory");
  CAF_CHECK(record.at("trigger") == "http");
  CAF_CHECK(record.at("run_ns") == UINT64_MAX);
  for (const char* name : {"id", "version", "node", "queued_ns", "init_ns", "cpu_ns", "memory_limit_mb",
                           "memory_peak_bytes", "bytes_in", "bytes_out", "billed_ms", "cost_pico"})
    CAF_CHECK(record.contains(name));
  CAF_CHECK_EQUAL(record.size(), 17u);
}

CAF_TEST(sums show the hour and the currency) {
  const auto document = get("/v1/usage?function=a%20b&since=5&until=7");
  CAF_CHECK(document.at("currency") == "USD");
  const auto row = document.at("rows").at(0).as_object();
  CAF_CHECK(row.at("function") == "f default a b 5 7");
  CAF_CHECK(row.at("hour") == "2026-01-31T12:00:00Z");
  CAF_CHECK(row.at("invocations") == 4);
  CAF_CHECK(row.at("cost_pico") == 12);
  CAF_CHECK_EQUAL(row.size(), 11u);
}

CAF_TEST(a tenant is asked about alone) {
  const auto function_of = [&](std::string_view fields) {
    const auto document = boost::json::parse(node.ask("GET", "/v1/usage?function=g", {}, fields).body);
    return std::string{document.at("rows").at(0).at("function").as_string().c_str()};
  };
  CAF_CHECK(function_of("").starts_with("f default g "));
  CAF_CHECK(function_of("X-Troupe-Tenant: acme\r\n").starts_with("f acme g "));
}

CAF_TEST(faults in the ledger are shown) {
  CAF_CHECK(get("/v1/usage/verify")
            == boost::json::parse(R"({"records":7,"rows":2,"faults":["a \"fault\""],)"
                                  R"("nodes":[{"name":"n1","answered":true}]})"));
}

CAF_TEST(bad values are named) {
  for (const auto& [target, name] :
       std::vector<std::pair<std::string, std::string>>{{"/v1/usage?since=yesterday", "since"},
                                                        {"/v1/usage?until=-1", "until"},
                                                        {"/v1/usage?limit=1", "limit"},
                                                        {"/v1/usage?scope=world", "scope"},
                                                        {"/v1/usage/verify?since=1", "since"},
                                                        {"/v1/invocations?limit=0", "limit"},
                                                        {"/v1/invocations?limit=10001", "limit"},
                                                        {"/v1/invocations?after=x", "after"},
                                                        {"/v1/invocations?fonction=x", "fonction"},
                                                        {"/v1/invocations?function=a&function=b", "function"}}) {
    const auto got = node.ask("GET", target);
    CAF_CHECK_EQUAL(got.status, 400);
    CAF_CHECK(got.body.find("query parameter '" + name + "'") != std::string::npos);
  }
}

CAF_TEST(a node on its own is the only one that answers) {
  for (const char* target : {"/v1/usage", "/v1/invocations", "/v1/usage/verify", "/v1/usage?scope=node"})
    CAF_CHECK(get(target).at("nodes") == boost::json::parse(R"([{"name":"n1","answered":true}])"));
}

CAF_TEST(a node on its own whose ledger fails answers with its error) {
  caf::anon_send_exit(node.gate.actors().ledger, caf::exit_reason::kill);
  CAF_CHECK_EQUAL(node.ask("GET", "/v1/usage").status, 503);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(records of all nodes are one list) {
  for (const size_t limit : {1u, 2u, 3u, 6u, 7u, 1000u}) {
    cluster all; // a new one: its worker hands a record over each time it is asked
    const auto page = all.get("/v1/invocations?limit=" + std::to_string(limit)).as_object();
    const size_t expected = std::min<size_t>(limit, 7);
    CAF_CHECK_EQUAL(page.at("records").as_array().size(), expected);
    CAF_CHECK_EQUAL(page.contains("next"), limit < 7);
    CAF_CHECK(page.at("nodes") == boost::json::parse(four_nodes));
  }
}

CAF_TEST(pages of all nodes hold each record once) {
  for (const size_t limit : {1u, 2u, 3u, 5u}) {
    cluster all;
    auto numbers = all.numbers_by(limit);
    // The record that n2 hands over comes again with each question to it, in the test only.
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    CAF_CHECK(numbers == std::vector<uint64_t>({0, 1, 2, 3, 4, 5, 6}));
  }
}

CAF_TEST(sums of all nodes are added) {
  cluster all;
  const auto usage = all.get("/v1/usage");
  CAF_REQUIRE_EQUAL(usage.at("rows").as_array().size(), 1u);
  CAF_CHECK(usage.at("rows").at(0).at("invocations") == 12);
  CAF_CHECK(usage.at("rows").at(0).at("cost_pico") == 36);
  CAF_CHECK(usage.at("nodes") == boost::json::parse(four_nodes));
}

CAF_TEST(faults tell their node) {
  cluster all;
  const auto report = all.get("/v1/usage/verify");
  CAF_CHECK(report.at("records") == 21);
  CAF_CHECK(report.at("rows") == 6);
  CAF_CHECK(report.at("faults") == boost::json::parse(R"(["n1: a \"fault\"","n2: a \"fault\"","n3: a \"fault\""])"));
  CAF_CHECK(report.at("nodes") == boost::json::parse(four_nodes));
}

CAF_TEST(one node of a cluster can be asked alone) {
  cluster all;
  const auto usage = all.get("/v1/usage?scope=node");
  CAF_CHECK(usage.at("rows").at(0).at("invocations") == 4);
  CAF_CHECK(usage.at("nodes") == boost::json::parse(R"([{"name":"n1","answered":true}])"));
}

CAF_TEST(a ledger that fails is named and the others are there) {
  cluster all{strike::dead_ledger};
  const auto usage = all.get("/v1/usage");
  CAF_CHECK(usage.at("rows").at(0).at("invocations") == 8);
  CAF_CHECK(usage.at("nodes").at(2)
            == boost::json::parse(R"({"name":"n3","answered":false,"reason":"no answer in time"})"));
}

CAF_TEST(a silent node is named after some seconds and the others are there) {
  cluster all{strike::silent_worker};
  const auto page = all.get("/v1/invocations").as_object();
  CAF_CHECK_EQUAL(page.at("records").as_array().size(), 6u);
  CAF_CHECK(page.at("nodes").at(1)
            == boost::json::parse(R"({"name":"n2","answered":false,"reason":"no answer in time"})"));
  CAF_CHECK(page.at("nodes").at(2) == boost::json::parse(R"({"name":"n3","answered":true})"));
}

CAF_TEST(empty lists are lists) {
  CAF_CHECK_EQUAL(usage_document("EUR", {}, {}), R"({"currency":"EUR","rows":[],"nodes":[]})");
  CAF_CHECK_EQUAL(records_document({}, {}, {}), R"({"records":[],"nodes":[]})");
}
