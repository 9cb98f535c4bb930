#define CAF_SUITE storage.keys

#include "storage/keys.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using std::chrono::milliseconds;

namespace {

std::string invocation(std::string_view tenant, const uuid& id) {
  std::string key = "what was there before";
  make_invocation_key(key, tenant, id);
  return key;
}

std::string usage(std::string_view tenant, std::string_view function, int64_t hour) {
  std::string key;
  make_usage_key(key, tenant, function, hour);
  return key;
}

} // namespace

CAF_TEST(keys have the documented bytes) {
  using namespace std::string_literals;
  CAF_CHECK_EQUAL(function_key("t", "name"), "t\0name"s);
  CAF_CHECK_EQUAL(usage("t", "f", 0x0102030405), "t\0f\0\x80\0\0\1\2\3\4\5"s);
  uuid id;
  id.bytes = {1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 0};
  CAF_CHECK_EQUAL(invocation("t", id), "t\0\1\2\3\4\5\6\x70\x08\x80\n\x0b\x0c\r\x0e\x0f\0"s);
  CAF_CHECK_EQUAL(bundle_key(digest::of(std::string_view{"x"})).size(), 32u);
}

CAF_TEST(what is made can be parsed) {
  const auto function_bytes = function_key("tenant", "name");
  const auto function = parse_function_key(function_bytes);
  CAF_REQUIRE(function);
  CAF_CHECK_EQUAL(function->tenant, "tenant");
  CAF_CHECK_EQUAL(function->name, "name");

  const auto id = uuid::make();
  const auto record_bytes = invocation("tenant", id);
  const auto record = parse_invocation_key(record_bytes);
  CAF_REQUIRE(record);
  CAF_CHECK_EQUAL(record->tenant, "tenant");
  CAF_CHECK(record->id == id);

  for (const int64_t hour : {int64_t{0}, int64_t{-1}, int64_t{472'222}, std::numeric_limits<int64_t>::min(),
                             std::numeric_limits<int64_t>::max()}) {
    const auto sum_bytes = usage("tenant", "f", hour);
    const auto sum = parse_usage_key(sum_bytes);
    CAF_REQUIRE(sum);
    CAF_CHECK_EQUAL(sum->tenant, "tenant");
    CAF_CHECK_EQUAL(sum->function, "f");
    CAF_CHECK_EQUAL(sum->hour, hour);
  }
}

CAF_TEST(anything else is not a key) {
  using namespace std::string_literals;
  CAF_CHECK(!parse_function_key(""));
  CAF_CHECK(!parse_function_key("no separator"));
  CAF_CHECK(!parse_function_key("a\0b\0c"s));
  CAF_CHECK(!parse_invocation_key("t\0fifteen bytes.."s));
  CAF_CHECK(!parse_invocation_key("seventeen bytes .."));
  CAF_CHECK(!parse_usage_key("t\0f"s));
  CAF_CHECK(!parse_usage_key("t\0f\0seven.."s));
  CAF_CHECK(!parse_usage_key("t\0f\0nine....."s));
}

CAF_TEST(records sort by tenant and time) {
  std::vector<std::string> keys;
  for (const auto* tenant : {"a", "ab", "b"})
    for (const int64_t ms : {int64_t{0}, int64_t{1}, int64_t{255}, int64_t{256}, int64_t{1'700'000'000'000},
                             int64_t{1'700'000'000'001}, (int64_t{1} << 48) - 1})
      keys.push_back(invocation(tenant, uuid::floor_of(milliseconds{ms})));
  CAF_CHECK(std::is_sorted(keys.begin(), keys.end()));
  CAF_CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

CAF_TEST(sums sort by tenant and function and hour) {
  std::vector<std::string> keys;
  for (const auto* tenant : {"a", "ab", "b"})
    for (const auto* function : {"f", "f-1", "f1", "g"})
      for (const int64_t hour :
           {int64_t{-2}, int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{255}, int64_t{256}, int64_t{1} << 40})
        keys.push_back(usage(tenant, function, hour));
  CAF_CHECK(std::is_sorted(keys.begin(), keys.end()));
}

CAF_TEST(a prefix ends where the next name begins) {
  const auto prefix = key_prefix("a");
  const auto end = behind_prefix(prefix);
  const auto last =
    invocation("a", uuid{{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}});
  CAF_CHECK(prefix < last);
  CAF_CHECK(last < end);
  CAF_CHECK(end < invocation("ab", uuid{}));
  CAF_CHECK(fits_key("name"));
  CAF_CHECK(!fits_key(std::string_view{"na\0me", 5}));
}
