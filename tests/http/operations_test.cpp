#define CAF_SUITE http.operations

#include "http/operations.hpp"

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

test::node_options with_history() {
  auto options = test::test_node::ready();
  options.worker.idle = 3;
  options.worker.memory_used_bytes = 4096;
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
