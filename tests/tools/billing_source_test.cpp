#define CAF_SUITE tools.billing_source

#include "tools/billing_source.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::tools;

namespace {

constexpr std::string_view row = R"({"function":"hello","hour":"2026-11-23T12:00:00Z","invocations":4,"errors":1,)"
                                 R"("throttled":0,"cold_starts":1,"run_ns":10,"cpu_ns":9,"billed_ms":4,)"
                                 R"("billed_mb_ms":512,"cost_pico":18446744073709551615})";

boost::json::object object(std::string_view text) {
  return boost::json::parse(text).as_object();
}

/// `row` with one field's value replaced.
std::string row_with(std::string_view field, std::string_view value) {
  auto changed = object(row);
  changed[field] = boost::json::parse(value);
  return boost::json::serialize(changed);
}

template <class T>
std::string error_of(const caf::expected<T>& result) {
  return result ? std::string{} : what_of(result.error());
}

} // namespace

CAF_TEST(usage is read whole) {
  const auto usage = read_usage(object(R"({"currency":"EUR","rows":[)" + std::string{row} + "]}"));
  CAF_REQUIRE(usage);
  CAF_CHECK_EQUAL(usage->currency, "EUR");
  CAF_REQUIRE_EQUAL(usage->rows.size(), 1u);
  CAF_CHECK_EQUAL(usage->rows[0].function, "hello");
  CAF_CHECK_EQUAL(usage->rows[0].hour, 1'795'435'200 / 3600);
  CAF_CHECK_EQUAL(usage->rows[0].totals.invocations, 4u);
  CAF_CHECK_EQUAL(usage->rows[0].totals.billed_mb_ms, 512u);
  CAF_CHECK_EQUAL(usage->rows[0].totals.cost_pico, UINT64_MAX);
}

CAF_TEST(what is missing or misshapen is named) {
  const auto usage_with = [](std::string_view text) {
    return error_of(read_usage(object(R"({"currency":"USD","rows":[)" + std::string{text} + "]}")));
  };
  CAF_CHECK_EQUAL(usage_with(row), "");
  CAF_CHECK_EQUAL(usage_with(row_with("run_ns", "-1")), "the node's answer has no usable \"run_ns\"");
  CAF_CHECK_EQUAL(usage_with(row_with("run_ns", "1.5")), "the node's answer has no usable \"run_ns\"");
  CAF_CHECK_EQUAL(usage_with(row_with("run_ns", "\"1\"")), "the node's answer has no usable \"run_ns\"");
  CAF_CHECK_EQUAL(usage_with(row_with("hour", "\"noon\"")), "the node's answer has no usable \"hour\"");
  CAF_CHECK_EQUAL(usage_with(row_with("function", "null")), "the node's answer has no usable \"function\"");
  CAF_CHECK_EQUAL(usage_with("{}"), "the node's answer has no usable \"function\"");
  CAF_CHECK_EQUAL(usage_with("7"), "the node's answer has no usable object");
  CAF_CHECK_EQUAL(error_of(read_usage(object(R"({"currency":"USD"})"))), "the node's answer has no usable \"rows\"");
  CAF_CHECK_EQUAL(error_of(read_usage(object(R"({"rows":[]})"))), "the node's answer has no usable \"currency\"");
}

CAF_TEST(a last page of records has no next) {
  const auto page = read_records(object(R"({"records":[]})"));
  CAF_REQUIRE(page);
  CAF_CHECK(!page->next);
  CAF_CHECK_EQUAL(error_of(read_records(object(R"({"records":[],"next":"x"})"))),
                  "the node's answer has no usable \"next\"");
  CAF_CHECK_EQUAL(error_of(read_records(object(R"({"records":[{}]})"))), "the node's answer has no usable \"id\"");
}

CAF_TEST(nodes that have not answered are read) {
  const std::string nodes = R"("nodes":[{"name":"n1","answered":true},)"
                            R"({"name":"n2","answered":false,"reason":"the node is gone"}])";
  const auto usage = read_usage(object(R"({"currency":"USD","rows":[],)" + nodes + "}"));
  const auto page = read_records(object(R"({"records":[],)" + nodes + "}"));
  const auto report = read_verify(object(R"({"records":1,"rows":1,"faults":[],)" + nodes + "}"));
  CAF_REQUIRE(usage && page && report);
  for (const auto& absent : {usage->absent, page->absent, report->absent}) {
    CAF_REQUIRE_EQUAL(absent.size(), 1u);
    CAF_CHECK_EQUAL(absent[0].name, "n2");
    CAF_CHECK_EQUAL(absent[0].reason, "the node is gone");
  }
  for (const auto* text :
       {R"({"records":[],"nodes":[{"name":"n1"}]})", R"({"records":[],"nodes":[{"name":"n1","answered":1}]})"})
    CAF_CHECK_EQUAL(error_of(read_records(object(text))), "the node's answer has no usable \"answered\"");
  CAF_CHECK_EQUAL(error_of(read_records(object(R"({"records":[],"nodes":7})"))),
                  "the node's answer has no usable \"nodes\"");
}

CAF_TEST(a verify report is read) {
  const auto answer = read_verify(object(R"({"records":10,"rows":2,"faults":["one","two"]})"));
  CAF_REQUIRE(answer);
  const auto& report = answer->report;
  CAF_CHECK_EQUAL(report.records, 10u);
  CAF_CHECK_EQUAL(report.rows, 2u);
  CAF_CHECK(report.faults == std::vector<std::string>({"one", "two"}));
}

CAF_TEST(a directory without a database is an error) {
  CAF_CHECK_EQUAL(error_of(database_source("/nonexistent/troupe", "USD")), "/nonexistent/troupe: no such directory");
}
