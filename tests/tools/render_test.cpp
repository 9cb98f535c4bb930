#define CAF_SUITE tools.render

#include "tools/render.hpp"

#include "tools/billing_source.hpp"
#include "tools/console.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::tools;

namespace {

storage::usage_record some_record() {
  storage::usage_record record;
  record.id = *uuid::parse("01999999-0000-7000-8000-000000000001");
  record.function = "hello";
  record.version = "$LATEST";
  record.node = "n1";
  record.trigger = storage::trigger_kind::api;
  record.status = storage::invocation_status::out_of_memory;
  record.start_ns = 1'795'435'200'123'000'000; // 2026-11-23T12:00:00.123Z
  record.queued_ns = 1;
  record.init_ns = 1'234'567;
  record.run_ns = 2'000'000;
  record.cpu_ns = 999;
  record.memory_limit_mb = 128;
  record.memory_peak_bytes = 9 * limits::mib;
  record.bytes_in = 2;
  record.bytes_out = 3;
  record.billed_ms = 2;
  record.cost_pico = UINT64_MAX;
  return record;
}

} // namespace

CAF_TEST(tables line up) {
  table rows{{{"NAME"}, {"COUNT", align::right}, {"LAST"}}};
  rows.add({"a", "1", "x"});
  rows.add({"longer than that", "12345678", ""});
  rows.add({"gr\xc3\xbc\xc3\x9f", "10", "y"});
  CAF_CHECK_EQUAL(rows.text(table::style::plain), "NAME                 COUNT  LAST\n"
                                                  "a                        1  x\n"
                                                  "longer than that  12345678\n"
                                                  "gr\xc3\xbc\xc3\x9f                    10  y\n");
}

CAF_TEST(an empty table is its titles) {
  const table rows{{{"A"}, {"B"}}};
  CAF_CHECK_EQUAL(rows.text(table::style::plain), "A  B\n");
  CAF_CHECK_EQUAL(rows.text(table::style::coloured), "\x1b[1mA  B\x1b[0m\n");
}

CAF_TEST(cells cannot break a line or drive the terminal) {
  table rows{{{"A"}, {"B"}}};
  rows.add({"one\ntwo\t\x1b[31m", "x"});
  CAF_CHECK_EQUAL(rows.text(table::style::plain), "A                   B\none\\ntwo\\t\\x1b[31m  x\n");
  CAF_CHECK_EQUAL(printable("\xc2\x9b"
                            "31m \xc3\xbc \x7f"),
                  "\\x9b31m \xc3\xbc \\x7f");
}

CAF_TEST(decimals are exact and cut off) {
  CAF_CHECK_EQUAL(decimal(0, 1'000'000, 3), "0.000");
  CAF_CHECK_EQUAL(decimal(1'234'567, 1'000'000, 3), "1.234");
  CAF_CHECK_EQUAL(decimal(999'999, 1'000'000, 3), "0.999");
  CAF_CHECK_EQUAL(decimal(7, 2, 0), "3");
  CAF_CHECK_EQUAL(decimal(UINT64_MAX, 1'024'000, 6), "18014398509481.983999");
}

CAF_TEST(sums show GB seconds and money without rounding up) {
  storage::usage_totals totals;
  totals.invocations = 3;
  totals.billed_mb_ms = 128 * 1000;
  totals.cost_pico = 2'683'337'500;
  auto rows = report_table("EUR");
  add_row(rows, "hello", totals);
  const auto text = rows.text(table::style::plain);
  CAF_MESSAGE(text);
  CAF_CHECK(text.find("COST EUR") != std::string::npos);
  CAF_CHECK(text.find(" 0.125000 ") != std::string::npos);
  CAF_CHECK(text.ends_with(" 0.002683337500\n"));

  const auto json = json_of("hello", totals, "EUR");
  CAF_CHECK_EQUAL(json.at("cost").get_string(), "0.002683337500");
  CAF_CHECK_EQUAL(json.at("currency").get_string(), "EUR");
  CAF_CHECK_EQUAL(json.at("cost_pico").to_number<uint64_t>(), 2'683'337'500u);
}

CAF_TEST(a record survives the way through JSON) {
  const auto record = some_record();
  const auto json = json_of(record);
  CAF_CHECK_EQUAL(json.at("start").get_string(), "2026-11-23T12:00:00.123Z");
  CAF_CHECK_EQUAL(json.at("status").get_string(), "out_of_memory");
  CAF_CHECK_EQUAL(json.at("cost").get_string(), "18446744.073709551615");
  const auto text =
    boost::json::serialize(boost::json::object{{"records", boost::json::array{json}}, {"next", record.id.to_string()}});
  const auto page = read_records(boost::json::parse(text).as_object());
  CAF_REQUIRE(page);
  CAF_REQUIRE_EQUAL(page->records.size(), 1u);
  CAF_CHECK(page->records[0] == record);
  CAF_CHECK(page->next == record.id);
}

CAF_TEST(the list of functions shows their limits) {
  auto rows = functions_table();
  for (const std::string_view limits :
       {R"("MaximumConcurrency":0,"ReservedConcurrency":3,"Network":"egress")", R"("Network":"none")"}) {
    const auto document = R"({"FunctionName":"f","Runtime":"python3","Handler":"f.f","MemorySize":128,"Timeout":3,)"
                          R"("CodeSize":9,"LastModified":"now","EphemeralStorage":{"Size":1024},)"
                        + std::string{limits} + "}";
    add_row(rows, boost::json::parse(document).as_object());
  }
  CAF_CHECK_EQUAL(rows.text(table::style::plain),
                  "NAME  RUNTIME  HANDLER  MEMORY MB  TIMEOUT S  TMP MB  MAX  RESERVED  NETWORK  CODE BYTES  MODIFIED\n"
                  "f     python3  f.f            128          3    1024    0         3  egress            9  now\n"
                  "f     python3  f.f            128          3    1024    -         0  none              9  now\n");
}

CAF_TEST(a function is shown with its variables a line each) {
  const auto function = boost::json::parse(R"({"FunctionName":"hello","MemorySize":128,
    "Environment":{"Variables":{"B":"2","A":"1"}}})");
  CAF_CHECK_EQUAL(function_table(function.as_object()).text(table::style::plain), "FIELD          VALUE\n"
                                                                                  "FunctionName   hello\n"
                                                                                  "MemorySize     128\n"
                                                                                  "Environment B  2\n"
                                                                                  "Environment A  1\n");
}
