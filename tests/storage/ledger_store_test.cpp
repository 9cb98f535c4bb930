#define CAF_SUITE storage.ledger_store

#include "storage/ledger_store.hpp"

#include "scratch.hpp"
#include "storage/keys.hpp"
#include "storage/record_scan.hpp"
#include "storage/values.hpp"

#include <caf/test/unit_test.hpp>

#include <rocksdb/db.h>

#include <algorithm>
#include <limits>
#include <random>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::testing;

namespace {

constexpr int64_t hour_ms = 3'600'000;
constexpr int64_t base_ms = 472'222 * hour_ms;

struct fixture {
  scratch_directory scratch;
  std::shared_ptr<database> db = open(scratch.path());
  ledger_store ledger{db};
  std::vector<usage_record> stored;

  void append(std::vector<usage_record> records) {
    CAF_REQUIRE_EQUAL(ledger.append(records), caf::none);
    stored.insert(stored.end(), records.begin(), records.end());
  }

  /// `count` records over four hours, of three functions, in batches of up to 256.
  void fill(uint64_t count, const std::string& tenant = "default") {
    std::mt19937_64 random{count};
    std::vector<usage_record> batch;
    for (uint64_t n = 0; n < count; ++n) {
      const auto at = base_ms + static_cast<int64_t>(random() % (4 * hour_ms));
      batch.push_back(sample_record(at, n, "f" + std::to_string(n % 3), tenant));
      if (batch.size() == 1 + n % 256)
        append(std::exchange(batch, {}));
    }
    append(batch);
  }

  /// What a filter should give, worked out from what was appended.
  std::vector<usage_record> expected(const ledger_filter& filter) const {
    std::vector<usage_record> found;
    for (const auto& each : stored)
      if ((filter.tenant.empty() || each.tenant == filter.tenant)
          && (filter.function.empty() || each.function == filter.function)
          && each.start_ns / 1'000'000 >= filter.since_ms && each.start_ns / 1'000'000 < filter.until_ms)
        found.push_back(each);
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return found;
  }

  std::vector<usage_row> expected_rows(const ledger_filter& filter) const {
    std::map<std::tuple<std::string, std::string, int64_t>, usage_totals> sums;
    for (const auto& each : expected(filter))
      sums[{each.tenant, each.function, hour_of_ns(each.start_ns)}].add(each);
    std::vector<usage_row> rows;
    rows.reserve(sums.size());
    for (const auto& [key, totals] : sums)
      rows.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), totals});
    return rows;
  }

  void check(const ledger_filter& filter) {
    CAF_CHECK(must(ledger.records(filter)) == expected(filter));
    CAF_CHECK(must(ledger.usage(filter)) == expected_rows(filter));
  }
};

ledger_filter between(int64_t since_ms, int64_t until_ms, std::string function = "") {
  ledger_filter filter;
  filter.since_ms = since_ms;
  filter.until_ms = until_ms;
  filter.function = std::move(function);
  filter.count_max = 100'000;
  return filter;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(ledger_store_tests, fixture)

CAF_TEST(an empty ledger answers) {
  CAF_CHECK_EQUAL(must(ledger.records({})).size(), 0u);
  CAF_CHECK_EQUAL(must(ledger.usage({})).size(), 0u);
  const auto report = must(ledger.verify());
  CAF_CHECK_EQUAL(report.records + report.rows + report.faults.size(), 0u);
  CAF_CHECK_EQUAL(ledger.append({}), caf::none);
}

CAF_TEST(ten thousand records and their sums agree) {
  fill(10'000);
  const auto all = between(0, INT64_MAX);
  CAF_CHECK_EQUAL(must(ledger.records(all)).size(), 10'000u);
  check(all);
  const auto check_report = [](const verify_report& report) {
    CAF_CHECK_EQUAL(report.records, 10'000u);
    CAF_CHECK_EQUAL(report.rows, 12u);
    CAF_CHECK(report.faults.empty());
  };
  check_report(must(ledger.verify()));

  ledger = ledger_store{nullptr};
  db.reset();
  db = open(scratch.path());
  ledger = ledger_store{db};
  check_report(must(ledger.verify()));
  CAF_REQUIRE(db->db().CompactRange({}, db->at(family::usage), nullptr, nullptr).ok());
  check_report(must(ledger.verify()));
  check(all);
}

CAF_TEST(bounds that cut hours are exact) {
  fill(3'000);
  const int64_t cuts[] = {0,
                          base_ms - 1,
                          base_ms,
                          base_ms + 1,
                          base_ms + hour_ms / 3,
                          base_ms + hour_ms / 2,
                          base_ms + hour_ms - 1,
                          base_ms + hour_ms,
                          base_ms + hour_ms + 1,
                          base_ms + 3 * hour_ms + 77'777,
                          base_ms + 4 * hour_ms,
                          base_ms + 9 * hour_ms,
                          INT64_MAX};
  for (const auto since_ms : cuts)
    for (const auto until_ms : cuts)
      check(between(since_ms, until_ms));
  check(between(base_ms + hour_ms / 2, base_ms + 2 * hour_ms + 5, "f1"));
  check(between(base_ms + 10, base_ms + 20'000, "f2"));
  check(between(base_ms, base_ms + hour_ms, "no such"));
}

CAF_TEST(a bound cuts at the very record) {
  for (uint64_t n = 0; n < 10; ++n)
    append({sample_record(base_ms + static_cast<int64_t>(n), n)});
  for (int64_t since = -1; since < 12; ++since)
    for (int64_t until = -1; until < 12; ++until)
      check(between(base_ms + since, base_ms + until));
}

CAF_TEST(extreme bounds are bounds) {
  append({sample_record(0, 1), sample_record(base_ms, 2), sample_record((int64_t{1} << 43), 3)});
  constexpr auto least = std::numeric_limits<int64_t>::min();
  for (const int64_t since : {least, least + 1, int64_t{-1}, int64_t{0}, INT64_MAX - 1, INT64_MAX})
    for (const int64_t until :
         {least, int64_t{-1}, int64_t{0}, int64_t{1}, (int64_t{1} << 48), INT64_MAX - 1, INT64_MAX})
      check(between(since, until));
}

CAF_TEST(an id may be older or younger than the start) {
  auto early = sample_record(base_ms, 1);
  early.start_ns += 30'000 * int64_t{1'000'000};
  auto late = sample_record(base_ms + 40'000, 2);
  late.start_ns -= 30'000 * int64_t{1'000'000};
  append({early, late});
  check(between(base_ms + 10'000, base_ms + 10'001));
  check(between(base_ms + 29'999, base_ms + 30'001));
  check(between(base_ms + 30'001, base_ms + hour_ms));
}

CAF_TEST(pages follow one another) {
  fill(1'000);
  const auto all = expected(between(0, INT64_MAX));
  auto filter = between(base_ms + 5'000, base_ms + 3 * hour_ms, "f1");
  const auto wanted = expected(filter);
  filter.count_max = 7;
  std::vector<usage_record> seen;
  for (;;) {
    const auto page = must(ledger.records(filter));
    CAF_CHECK_LESS_OR_EQUAL(page.size(), 7u);
    if (page.empty())
      break;
    seen.insert(seen.end(), page.begin(), page.end());
    filter.after = page.back().id;
  }
  CAF_CHECK(seen == wanted);
  filter.after = {};
  filter.count_max = 0;
  CAF_CHECK(must(ledger.records(filter)).empty());
  filter.count_max = 7;
  filter.after.bytes.fill(255);
  CAF_CHECK(must(ledger.records(filter)).empty());
}

CAF_TEST(tenants are apart and can be read together) {
  fill(300, "a");
  fill(301, "ab");
  fill(302, "b");
  for (const auto* tenant : {"a", "ab", "b", "c", ""}) {
    auto filter = between(base_ms + 1'000'000, base_ms + 2 * hour_ms + 3);
    filter.tenant = tenant;
    check(filter);
    filter.function = "f1";
    check(filter);
  }
  CAF_CHECK(must(ledger.verify()).faults.empty());
}

CAF_TEST(names with zero bytes are refused and nothing of the batch is stored) {
  auto bad = sample_record(base_ms, 2);
  bad.function = std::string("a\0b", 3);
  const std::vector<usage_record> batch{sample_record(base_ms, 1), bad};
  CAF_CHECK(code_of(ledger.append(batch)) == errc::invalid_argument);
  CAF_CHECK_EQUAL(must(ledger.verify()).records, 0u);
  append({sample_record(base_ms, 1)});
  CAF_CHECK_EQUAL(must(ledger.verify()).records, 1u);
}

CAF_TEST(verify finds a sum that was tampered with) {
  fill(500);
  std::string key;
  make_usage_key(key, "default", "f1", base_ms / hour_ms + 1);
  std::string value;
  CAF_REQUIRE(db->db().Get({}, db->at(family::usage), key, &value).ok());
  auto totals = must(decode_totals(value));
  totals.cost_pico -= 1;
  totals.invocations += 1;
  encode(value, totals);
  CAF_REQUIRE(db->db().Put({}, db->at(family::usage), key, value).ok());
  const auto report = must(ledger.verify());
  CAF_REQUIRE_EQUAL(report.faults.size(), 1u);
  CAF_MESSAGE(report.faults[0]);
  CAF_CHECK(report.faults[0].starts_with("default/f1 at 2023-11-14T23Z: invocations is "));
  CAF_CHECK(report.faults[0].find("cost_pico is ") != std::string::npos);
  CAF_CHECK(report.faults[0].find("billed_ms") == std::string::npos);
}

CAF_TEST(verify finds what is missing and what cannot be read) {
  append({sample_record(base_ms, 1, "lost-record"), sample_record(base_ms, 2, "lost-sum"),
          sample_record(base_ms, 3, "bad-record"), sample_record(base_ms, 4, "bad-sum")});
  std::string key;
  make_invocation_key(key, "default", stored[0].id);
  CAF_REQUIRE(db->db().Delete({}, db->at(family::invocations), key).ok());
  make_usage_key(key, "default", "lost-sum", base_ms / hour_ms);
  CAF_REQUIRE(db->db().Delete({}, db->at(family::usage), key).ok());
  make_invocation_key(key, "default", stored[2].id);
  CAF_REQUIRE(db->db().Put({}, db->at(family::invocations), key, "damage").ok());
  make_usage_key(key, "default", "bad-sum", base_ms / hour_ms);
  CAF_REQUIRE(db->db().Put({}, db->at(family::usage), key, "damage").ok());
  const auto report = must(ledger.verify());
  CAF_CHECK_EQUAL(report.records, 3u);
  std::string all;
  for (const auto& line : report.faults)
    all += line + "\n";
  CAF_MESSAGE(all);
  for (const auto* text : {"lost-record at", "lost-sum at", "bad-sum at", "cannot be read"})
    CAF_CHECK(all.find(text) != std::string::npos);
  CAF_CHECK(code_of(ledger.records({}).error()) == errc::storage_damaged);
  CAF_CHECK(code_of(ledger.usage({}).error()) == errc::storage_damaged);
}

CAF_TEST(a report has a bounded number of lines) {
  std::vector<usage_record> batch;
  for (uint64_t n = 0; n < limits::ledger_faults_max + 50; ++n)
    batch.push_back(sample_record(base_ms, n, "f" + std::to_string(n)));
  append(batch);
  const auto begin = key_prefix("default");
  CAF_REQUIRE(db->db().DeleteRange({}, db->at(family::invocations), begin, behind_prefix(begin)).ok());
  const auto report = must(ledger.verify());
  CAF_REQUIRE_EQUAL(report.faults.size(), limits::ledger_faults_max + 1);
  CAF_CHECK_EQUAL(report.faults.back(), "and 50 more");
}

CAF_TEST(sums are added and never wrap) {
  auto record = sample_record(base_ms, 1);
  record.cost_pico = std::numeric_limits<uint64_t>::max() - 1;
  auto second = sample_record(base_ms, 2);
  append({record});
  append({second});
  const auto rows = must(ledger.usage({}));
  CAF_REQUIRE_EQUAL(rows.size(), 1u);
  CAF_CHECK_EQUAL(rows[0].totals.cost_pico, std::numeric_limits<uint64_t>::max());
  CAF_CHECK(must(ledger.verify()).faults.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
