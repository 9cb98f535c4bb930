#define CAF_SUITE http.operations

#include "http/operations.hpp"

#include "http/ledger_json.hpp"
#include "http/prometheus.hpp"

#include <boost/json/parse.hpp>

#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

#include <regex>
#include <set>
#include <sstream>

using namespace troupe;
using namespace troupe::http;

namespace {

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
  options.worker.idle = 3;
  options.worker.memory_used_bytes = 4096;
  for (uint64_t i = 1; i <= 5; ++i)
    options.ledger.records.push_back(record_of(1'769'860'800'123 + i));
  usage_row row;
  row.function = "f";
  row.hour = 491'628;
  row.totals.invocations = 4;
  row.totals.cost_pico = 12;
  options.ledger.rows = {row};
  function_metrics metrics;
  metrics.tenant = "t";
  metrics.function = "we\\ird\"\n";
  metrics.by_status = {5, 0, 1};
  metrics.run.counts.assign(latency_bounds_ns.size() + 1, 0);
  metrics.run.counts[0] = 2;
  metrics.run.counts[latency_bounds_ns.size()] = 1;
  metrics.run.sum_ns = 1'500'000'001;
  options.ledger.metrics = {metrics};
  return options;
}

struct fixture {
  test::test_node node{with_history()};

  boost::json::value get(std::string_view target) { return boost::json::parse(node.ask("GET", target).body); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(operations_tests, fixture)

CAF_TEST(the node says that it lives and that it is ready) {
  CAF_CHECK_EQUAL(node.ask("GET", "/healthz").status, 200);
  CAF_CHECK_EQUAL(node.ask("GET", "/readyz").status, 200);
  CAF_CHECK(get("/").at("program") == "troupe");
}

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
  CAF_CHECK(get("/v1/usage/verify") == boost::json::parse(R"({"records":7,"rows":2,"faults":["a \"fault\""]})"));
}

CAF_TEST(bad values are named) {
  for (const auto& [target, name] :
       std::vector<std::pair<std::string, std::string>>{{"/v1/usage?since=yesterday", "since"},
                                                        {"/v1/usage?until=-1", "until"},
                                                        {"/v1/usage?limit=1", "limit"},
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

CAF_TEST(metrics follow the rules of the text format) {
  const auto got = node.ask("GET", "/metrics");
  CAF_CHECK_EQUAL(got.field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const std::regex sample{R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [0-9]+(\.[0-9]+)?)re"};
  std::set<std::string> families, samples;
  std::istringstream lines{got.body};
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      CAF_CHECK(families.insert(current).second);
    } else if (line.starts_with("# TYPE ")) {
      CAF_CHECK_EQUAL(line.substr(7, current.size() + 1), current + " ");
    } else {
      std::smatch parts;
      CAF_MESSAGE(line);
      CAF_REQUIRE(std::regex_match(line, parts, sample));
      CAF_CHECK(parts[1].str().starts_with(current));
      CAF_CHECK(samples.insert(line.substr(0, line.rfind(' '))).second);
    }
  }
  for (const char* part : {R"(troupe_invocations_total{tenant="t",function="we\\ird\"\n",status="ok"} 5)",
                           R"(troupe_invocations_total{tenant="t",function="we\\ird\"\n",status="timeout"} 1)",
                           R"(troupe_invocation_run_seconds_bucket{tenant="t",function="we\\ird\"\n",le="0.00005"} 2)",
                           R"(troupe_invocation_run_seconds_bucket{tenant="t",function="we\\ird\"\n",le="900"} 2)",
                           R"(troupe_invocation_run_seconds_bucket{tenant="t",function="we\\ird\"\n",le="+Inf"} 3)",
                           R"(troupe_invocation_run_seconds_sum{tenant="t",function="we\\ird\"\n"} 1.500000001)",
                           R"(troupe_invocation_run_seconds_count{tenant="t",function="we\\ird\"\n"} 3)",
                           R"(troupe_invocation_init_seconds_count{tenant="t",function="we\\ird\"\n"} 0)",
                           R"(troupe_sandboxes{state="idle"} 3)", "troupe_memory_used_bytes 4096",
                           R"(troupe_build_info{version="1.2.3"} 1)", "troupe_http_connections 1"})
    CAF_CHECK(got.body.find(std::string{"\n"} + part + "\n") != std::string::npos);
}

CAF_TEST(requests are counted by their status) {
  node.ask("GET", "/nothing");
  node.ask("GET", "/healthz");
  const auto got = node.ask("GET", "/metrics").body;
  CAF_CHECK(got.find("troupe_http_requests_total{code=\"404\"} 1\n") != std::string::npos);
  CAF_CHECK(got.find("troupe_http_requests_total{code=\"200\"} 1\n") != std::string::npos);
  CAF_CHECK(got.find("troupe_http_connections_total 3\n") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a node that is not ready says so) {
  test::test_node node{test::node_options{}};
  const auto got = node.ask("GET", "/readyz");
  CAF_CHECK_EQUAL(got.status, 503);
  CAF_CHECK_EQUAL(got.field("retry-after"), "1");
  CAF_CHECK_EQUAL(node.ask("GET", "/healthz").status, 200);
}

CAF_TEST(seconds are decimal and exact) {
  CAF_CHECK_EQUAL(decimal_seconds(0), "0");
  CAF_CHECK_EQUAL(decimal_seconds(1), "0.000000001");
  CAF_CHECK_EQUAL(decimal_seconds(50'000), "0.00005");
  CAF_CHECK_EQUAL(decimal_seconds(1'000'000'000), "1");
  CAF_CHECK_EQUAL(decimal_seconds(UINT64_MAX), "18446744073.709551615");
}

CAF_TEST(empty lists are lists) {
  CAF_CHECK_EQUAL(usage_document("EUR", {}), R"({"currency":"EUR","rows":[]})");
  CAF_CHECK_EQUAL(records_document({}, 10), R"({"records":[]})");
}
