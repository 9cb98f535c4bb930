#define CAF_SUITE storage.values

#include "storage/values.hpp"

#include "scratch.hpp"
#include "storage/keys.hpp"

#include <caf/test/unit_test.hpp>

#include <msgpack.hpp>

#include <limits>
#include <random>
#include <sstream>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::testing;

namespace {

constexpr uint64_t most = std::numeric_limits<uint64_t>::max();

std::string key_of(const function_version& function) {
  return function_key(function.config.tenant, function.config.name);
}

std::string key_of(const usage_record& record) {
  std::string key;
  make_invocation_key(key, record.tenant, record.id);
  return key;
}

template <class T>
std::string encoded(const T& value) {
  std::string bytes = "what was there before";
  encode(bytes, value);
  return bytes;
}

/// A msgpack map that a test fills by hand.
template <class Fill>
std::string map_of(uint32_t count, Fill fill) {
  std::stringstream bytes;
  msgpack::packer<std::stringstream> to{bytes};
  to.pack_map(count);
  fill(to);
  return bytes.str();
}

bool damaged(const caf::error& error) {
  return code_of(error) == errc::storage_damaged;
}

const std::string record_key = key_of(sample_record(5, 7));

} // namespace

CAF_TEST(functions come back as they were) {
  const auto function = sample_function("hello", "zip");
  CAF_CHECK(must(decode_function(key_of(function), encoded(function))) == function);
  function_version empty;
  CAF_CHECK(must(decode_function(key_of(empty), encoded(empty))) == empty);
}

CAF_TEST(a function of an earlier program has the defaults of what is new) {
  const auto key = function_key("t", "f");
  const auto function = must(decode_function(key, map_of(3, [](auto& to) {
                                               to.pack(std::string{"v"});
                                               to.pack(1);
                                               to.pack(std::string{"mb"});
                                               to.pack(512);
                                               to.pack(std::string{"timeout"});
                                               to.pack(7);
                                             })));
  CAF_CHECK_EQUAL(function.config.memory_mb, 512u);
  CAF_CHECK_EQUAL(function.config.ephemeral_storage_mb, 512u);
  CAF_CHECK_EQUAL(function.config.concurrency_max, concurrency_unset);
  CAF_CHECK_EQUAL(function.config.concurrency_reserved, 0u);
  CAF_CHECK(function.config.network == network_access::none);
}

CAF_TEST(a network that is not known is damage) {
  const auto with = [](uint64_t value) {
    return decode_function(function_key("t", "f"), map_of(2, [value](auto& to) {
                             to.pack(std::string{"v"});
                             to.pack(1);
                             to.pack(std::string{"net"});
                             to.pack(value);
                           }));
  };
  CAF_CHECK(must(with(1)).config.network == network_access::egress);
  CAF_CHECK(damaged(with(2).error()));
}

CAF_TEST(records come back as they were) {
  auto record = sample_record(1'700'000'000'000, 123);
  CAF_CHECK(must(decode_record(key_of(record), encoded(record))) == record);
  record.start_ns = -5;
  record.run_ns = record.cost_pico = most;
  record.memory_limit_mb = std::numeric_limits<uint32_t>::max();
  CAF_CHECK(must(decode_record(key_of(record), encoded(record))) == record);
}

CAF_TEST(a value that is cut anywhere is damage) {
  const auto function = sample_function("hello", "zip");
  const auto bytes = encoded(function);
  for (size_t size = 0; size < bytes.size(); ++size)
    CAF_CHECK(damaged(decode_function(key_of(function), std::string_view{bytes}.substr(0, size)).error()));
  const auto record = sample_record(5, 7);
  const auto more = encoded(record);
  for (size_t size = 0; size < more.size(); ++size)
    CAF_CHECK(damaged(decode_record(key_of(record), std::string_view{more}.substr(0, size)).error()));
  CAF_CHECK(damaged(decode_record(key_of(record), more + "x").error()));
}

CAF_TEST(changed bytes never do more than change the value) {
  std::mt19937 random{7};
  const auto record = sample_record(5, 7);
  const auto bytes = encoded(record);
  for (int i = 0; i < 20'000; ++i) {
    auto changed = bytes;
    for (int j = 0; j < 3; ++j)
      changed[random() % changed.size()] = static_cast<char>(random());
    const auto result = decode_record(key_of(record), changed);
    CAF_CHECK(result || damaged(result.error()));
  }
}

CAF_TEST(unknown fields are skipped and missing ones keep their defaults) {
  const auto bytes = map_of(6, [](auto& to) {
    to.pack(std::string{"later"});
    to.pack(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
    to.pack(std::string{"v"});
    to.pack(1);
    to.pack(std::string{"also later"});
    to.pack_nil();
    to.pack(std::string{"fn"});
    to.pack(std::string{"f"});
    to.pack(std::string{"fraction"});
    to.pack(1.5);
    to.pack(std::string{"run"});
    to.pack(77);
  });
  const auto record = must(decode_record(record_key, bytes));
  CAF_CHECK_EQUAL(record.function, "f");
  CAF_CHECK_EQUAL(record.run_ns, 77u);
  CAF_CHECK_EQUAL(record.node, "");
  CAF_CHECK_EQUAL(record.cost_pico, 0u);
  CAF_CHECK(record.status == invocation_status::ok);
}

CAF_TEST(fields of a wrong kind are damage) {
  const auto with = [](std::string key, auto value) {
    return decode_record(record_key, map_of(2, [&](auto& to) {
                           to.pack(std::string{"v"});
                           to.pack(1);
                           to.pack(key);
                           to.pack(value);
                         }));
  };
  CAF_CHECK(with("run", 5));
  CAF_CHECK(with("t", -5));
  CAF_CHECK(damaged(with("run", -5).error()));
  CAF_CHECK(damaged(with("run", 1.5).error()));
  CAF_CHECK(damaged(with("run", std::string{"5"}).error()));
  CAF_CHECK(damaged(with("run", std::vector<int>{5}).error()));
  CAF_CHECK(damaged(with("run", std::map<int, int>{{5, 5}}).error()));
  CAF_CHECK(damaged(with("fn", 5).error()));
  CAF_CHECK(damaged(with("st", 6).error()));
  CAF_CHECK(damaged(with("st", -1).error()));
  CAF_CHECK(damaged(with("trig", 2).error()));
  CAF_CHECK(damaged(with("mb", uint64_t{1} << 32).error()));
  CAF_CHECK(damaged(with("t", most).error()));
}

CAF_TEST(an environment holds texts only) {
  const auto key = function_key("t", "f");
  const auto with = [&key](auto value) {
    return decode_function(key, map_of(2, [&](auto& to) {
                             to.pack(std::string{"v"});
                             to.pack(1);
                             to.pack(std::string{"env"});
                             to.pack(value);
                           }));
  };
  CAF_CHECK(with(std::map<std::string, std::string>{{"A", "1"}}));
  CAF_CHECK(damaged(with(std::map<std::string, int>{{"A", 1}}).error()));
  CAF_CHECK(damaged(with(std::map<int, std::string>{{1, "A"}}).error()));
  CAF_CHECK(damaged(with(std::map<std::string, std::map<int, int>>{{"A", {}}}).error()));
  CAF_CHECK(damaged(with(std::map<std::string, std::vector<int>>{{"A", {}}}).error()));
  CAF_CHECK(damaged(with(std::string{"A=1"}).error()));
}

CAF_TEST(what is no map of this format is damage) {
  const auto decode = [](const std::string& bytes) { return decode_record(record_key, bytes).error(); };
  CAF_CHECK(damaged(decode("")));
  CAF_CHECK(damaged(decode("\x80")));                       // no version
  CAF_CHECK(damaged(decode("\x01")));                       // a number
  CAF_CHECK(damaged(decode("\xc1")));                       // no msgpack
  CAF_CHECK(damaged(decode("\x91\x01")));                   // an array
  CAF_CHECK(damaged(decode(std::string(100'000, '\x91')))); // arrays in arrays
  CAF_CHECK(damaged(decode("\x81" + std::string(100'000, '\x81'))));
  CAF_CHECK(damaged(decode("\xc9\xff\xff\xff\xff\x01"))); // an extension of 4 GiB
  CAF_CHECK(damaged(decode("\xdf\xff\xff\xff\xff")));     // a map of 4 Gi pairs
  CAF_CHECK(damaged(decode_record("no key", encoded(sample_record(5, 7))).error()));
  CAF_CHECK(damaged(decode_function("no key", encoded(function_version{})).error()));
}

CAF_TEST(a later format is named as such) {
  const auto bytes = map_of(2, [](auto& to) {
    to.pack(std::string{"v"});
    to.pack(2);
    to.pack(std::string{"run"});
    to.pack(std::string{"in words"});
  });
  const auto error = decode_record(record_key, bytes).error();
  CAF_CHECK(damaged(error));
  CAF_CHECK(what_of(error).find("later version") != std::string::npos);
}

CAF_TEST(totals come back and shorter or longer ones are read) {
  usage_totals totals;
  totals.add(sample_record(5, 10));
  const auto bytes = encoded(totals);
  CAF_CHECK_EQUAL(bytes.size(), 73u);
  CAF_CHECK(must(decode_totals(bytes)) == totals);
  const auto older = must(decode_totals(std::string_view{bytes}.substr(0, 17)));
  CAF_CHECK_EQUAL(older.invocations, totals.invocations);
  CAF_CHECK_EQUAL(older.cost_pico, 0u);
  CAF_CHECK(must(decode_totals(bytes + std::string(8, '\1'))) == totals);
  for (size_t size = 0; size < bytes.size(); ++size)
    if (size % 8 != 1)
      CAF_CHECK(damaged(decode_totals(std::string_view{bytes}.substr(0, size)).error()));
  CAF_CHECK(damaged(decode_totals("\x02" + bytes.substr(1)).error()));
}

CAF_TEST(adding encoded totals is adding totals) {
  usage_totals expected;
  std::string sum;
  for (uint64_t n = 0; n < 100; ++n) {
    usage_totals one;
    one.add(sample_record(5, n));
    expected.add(one);
    CAF_CHECK(add_encoded_totals(sum, encoded(one)));
  }
  CAF_CHECK(must(decode_totals(sum)) == expected);

  // Sums of a later program, behind the known ones, are not lost.
  const auto later = encoded(usage_totals{}) + std::string{"\5\0\0\0\0\0\0\0", 8};
  CAF_CHECK(add_encoded_totals(sum, later));
  CAF_CHECK(add_encoded_totals(sum, later));
  CAF_CHECK_EQUAL(sum.substr(73), std::string("\x0a\0\0\0\0\0\0\0", 8));
  CAF_CHECK(must(decode_totals(sum)) == expected);

  const auto before = sum;
  CAF_CHECK(!add_encoded_totals(sum, "damage"));
  CAF_CHECK(!add_encoded_totals(sum, ""));
  CAF_CHECK_EQUAL(sum, before);
  std::string no_sum = "damage";
  CAF_CHECK(!add_encoded_totals(no_sum, later));
}

CAF_TEST(sums stop at the largest number in any order) {
  usage_totals most_of_it;
  most_of_it.cost_pico = most - 1;
  usage_totals two;
  two.cost_pico = 2;
  auto sum = most_of_it;
  sum.add(two);
  CAF_CHECK_EQUAL(sum.cost_pico, most);
  sum = two;
  sum.add(most_of_it);
  sum.add(two);
  CAF_CHECK_EQUAL(sum.cost_pico, most);
  std::string bytes = encoded(two);
  CAF_CHECK(add_encoded_totals(bytes, encoded(most_of_it)));
  CAF_CHECK_EQUAL(must(decode_totals(bytes)).cost_pico, most);
  usage_record record;
  record.memory_limit_mb = 10;
  record.billed_ms = most / 2;
  usage_totals product;
  product.add(record);
  CAF_CHECK_EQUAL(product.billed_mb_ms, most);
}

CAF_TEST(a record counts by its status) {
  for (int i = 0; i <= static_cast<int>(invocation_status::throttled); ++i) {
    usage_record record;
    record.status = static_cast<invocation_status>(i);
    usage_totals totals;
    totals.add(record);
    CAF_CHECK_EQUAL(totals.invocations, 1u);
    CAF_CHECK_EQUAL(totals.throttled, record.status == invocation_status::throttled ? 1u : 0u);
    CAF_CHECK_EQUAL(totals.errors, i >= 1 && i <= 4 ? 1u : 0u);
  }
  CAF_CHECK_EQUAL(name_of(invocation_status::out_of_memory), "out_of_memory");
  CAF_CHECK_EQUAL(name_of(trigger_kind::api), "api");
}
