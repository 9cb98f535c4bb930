#define CAF_SUITE tools.time_text

#include "tools/time_text.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

#include <optional>

using namespace troupe;
using namespace troupe::tools;
using namespace std::chrono;

namespace {

constexpr unix_ms noon = sys_days{2026y / November / 23} + 12h;

} // namespace

CAF_TEST(moments are read) {
  const std::pair<std::string_view, unix_ms> table[] = {
    {"2026-11-23T12:00:00Z", noon},
    {"2026-11-23t12:00:00z", noon},
    {"2026-11-23 12:00:00Z", noon},
    {"2026-11-23T12:00:00.5Z", noon + 500ms},
    {"2026-11-23T12:00:00.123456789Z", noon + 123ms},
    {"2026-11-23T13:30:00+01:30", noon},
    {"2026-11-23T07:00:00-05:00", noon},
    {"2026-11-23T23:59:60Z", noon + 12h},
    {"2026-11-23", noon - 12h},
    {"2024-02-29", sys_days{2024y / February / 29}},
    {"1970-01-01", unix_ms{}},
    {"0", noon},
    {"1h", noon - 1h},
    {"30min", noon - 30min},
    {"90s", noon - 90s},
    {"2d", noon - 48h},
  };
  for (const auto& [text, time] : table) {
    CAF_MESSAGE(text);
    const auto parsed = parse_time(text, noon);
    CAF_REQUIRE(parsed);
    CAF_CHECK(*parsed == time);
  }
}

CAF_TEST(everything else is refused) {
  for (const std::string_view text : {"",
                                      "now",
                                      "yesterday",
                                      "1",
                                      "-1h",
                                      "1w",
                                      "2026",
                                      "2026-11",
                                      "2026-11-2",
                                      "2026-13-01",
                                      "2026-02-29",
                                      "2026-11-31",
                                      "2026-00-10",
                                      "26-11-23",
                                      "2026-11-23T",
                                      "2026-11-23T12",
                                      "2026-11-23T12:00",
                                      "2026-11-23T12:00:00",
                                      "2026-11-23T24:00:00Z",
                                      "2026-11-23T12:60:00Z",
                                      "2026-11-23T12:00:61Z",
                                      "2026-11-23T12:00:00.Z",
                                      "2026-11-23T12:00:00+0100",
                                      "2026-11-23T12:00:00+24:00",
                                      "2026-11-23T12:00:00Zx",
                                      " 2026-11-23",
                                      "2026-11-23 ",
                                      "99999999d"}) {
    CAF_MESSAGE(text);
    const auto parsed = parse_time(text, noon);
    CAF_CHECK(!parsed);
    if (!parsed)
      CAF_CHECK(code_of(parsed.error()) == errc::invalid_argument);
  }
}
