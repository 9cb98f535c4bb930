#define CAF_SUITE config.units

#include "config/units.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe::config;
using namespace std::chrono_literals;

namespace {

template <class T>
struct reading {
  std::string_view text;
  std::optional<T> value;
};

} // namespace

CAF_TEST(durations are a whole number and a unit) {
  const reading<std::chrono::milliseconds> table[] = {
    {"0", 0ms},
    {"0ms", 0ms},
    {"100ms", 100ms},
    {"3s", 3s},
    {"10min", 10min},
    {"1h", 1h},
    {"2d", 48h},
    {"9223372036854775807ms", std::chrono::milliseconds::max()},
    {"", {}},
    {"5", {}},
    {"ms", {}},
    {"-1s", {}},
    {"+1s", {}},
    {"1.5s", {}},
    {"1 s", {}},
    {" 1s", {}},
    {"1s ", {}},
    {"1S", {}},
    {"1m", {}},
    {"1h30min", {}},
    {"0x10s", {}},
    {"9223372036854775808ms", {}},
    {"99999999999999999999ms", {}},
    {"18446744073709551615d", {}},
  };
  for (const auto& row : table) {
    CAF_MESSAGE(row.text);
    CAF_CHECK(parse_duration(row.text) == row.value);
  }
}

CAF_TEST(durations are printed exactly and read back) {
  const std::pair<std::chrono::milliseconds, std::string_view> table[] = {
    {0ms, "0ms"}, {1ms, "1ms"}, {1500ms, "1500ms"}, {75s, "75s"}, {600s, "10min"}, {90min, "90min"}, {48h, "48h"},
  };
  for (const auto& [duration, text] : table) {
    CAF_CHECK_EQUAL(format_duration(duration), text);
    CAF_CHECK(parse_duration(text) == duration);
  }
}

CAF_TEST(sizes are a whole number and a unit) {
  const reading<uint64_t> table[] = {
    {"0", 0},
    {"0B", 0},
    {"1B", 1},
    {"2KiB", 2048},
    {"512MiB", 536'870'912},
    {"4GiB", 4'294'967'296},
    {"1TiB", 1'099'511'627'776},
    {"18446744073709551615B", UINT64_MAX},
    {"", {}},
    {"512", {}},
    {"512MB", {}},
    {"512mib", {}},
    {"1.5GiB", {}},
    {"-1B", {}},
    {"GiB", {}},
    {"18446744073709551616B", {}},
    {"16777216TiB", {}},
  };
  for (const auto& row : table) {
    CAF_MESSAGE(row.text);
    CAF_CHECK(parse_bytes(row.text) == row.value);
  }
}

CAF_TEST(sizes are printed exactly and read back) {
  const std::pair<uint64_t, std::string_view> table[] = {
    {0, "0B"},
    {1, "1B"},
    {1025, "1025B"},
    {1536, "1536B"},
    {2048, "2KiB"},
    {536'870'912, "512MiB"},
    {1ull << 40, "1TiB"},
  };
  for (const auto& [bytes, text] : table) {
    CAF_CHECK_EQUAL(format_bytes(bytes), text);
    CAF_CHECK(parse_bytes(text) == bytes);
  }
}

CAF_TEST(money is read to the last pico unit) {
  const reading<uint64_t> table[] = {
    {"0", 0},
    {"0.0", 0},
    {"1", 1'000'000'000'000},
    {"0.0000166667", 16'666'700},
    {"0.0000002", 200'000},
    {"0.000000000001", 1},
    {"12.5", 12'500'000'000'000},
    {"0.1", 100'000'000'000},
    {"18446744.073709551615", UINT64_MAX},
    {"", {}},
    {".", {}},
    {".5", {}},
    {"5.", {}},
    {"-1", {}},
    {"+1", {}},
    {"1e3", {}},
    {"1,5", {}},
    {"0x1", {}},
    {"1.2.3", {}},
    {"1. 5", {}},
    {"1.-5", {}},
    {"nan", {}},
    {"0.0000000000001", {}},
    {"0.0000000000000", {}},
    {"18446744.073709551616", {}},
    {"18446745", {}},
    {"99999999999999999999", {}},
  };
  for (const auto& row : table) {
    CAF_MESSAGE(row.text);
    CAF_CHECK(parse_money(row.text) == row.value);
  }
}

CAF_TEST(money is printed exactly) {
  CAF_CHECK_EQUAL(format_money(0), "0");
  CAF_CHECK_EQUAL(format_money(16'666'700), "0.0000166667");
  CAF_CHECK_EQUAL(format_money(2'000'000'000'000), "2");
  CAF_CHECK_EQUAL(format_money(10'000'000'000'001), "10.000000000001");
  CAF_CHECK_EQUAL(format_money(UINT64_MAX), "18446744.073709551615");
  CAF_CHECK_EQUAL(format_money_aligned(0), "0.000000000000");
  CAF_CHECK_EQUAL(format_money_aligned(200'000), "0.000000200000");
  CAF_CHECK_EQUAL(format_money_aligned(12'000'000'000'000), "12.000000000000");
}
