#define CAF_SUITE http.ledger_merge

#include "http/ledger_merge.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace troupe;
using namespace troupe::http;
using storage::usage_record;
using storage::usage_row;

namespace {

usage_row row_of(std::string function, int64_t hour, uint64_t invocations, uint64_t cost_pico) {
  usage_row row{"default", std::move(function), hour, {}};
  row.totals.invocations = invocations;
  row.totals.cost_pico = cost_pico;
  return row;
}

usage_record record_of(uint64_t number, std::string node = {}) {
  usage_record record;
  record.id = uuid::floor_of(std::chrono::milliseconds{number});
  record.node = std::move(node);
  return record;
}

using ledger = std::vector<usage_record>;

/// What a ledger answers: so many records behind that id.
ledger piece_of(const ledger& all, const uuid& after, size_t count) {
  ledger piece;
  for (const auto& record : all)
    if (record.id > after && piece.size() < count)
      piece.push_back(record);
  return piece;
}

struct page {
  ledger records;
  std::optional<uuid> next;
};

page page_of(const std::vector<ledger>& ledgers, const uuid& after, size_t count_max, size_t piece_size) {
  record_merge merged{ledgers.size(), count_max};
  const auto feed = [&](size_t which, const uuid& behind) {
    auto piece = piece_of(ledgers[which], behind, piece_size);
    const bool is_last = piece.size() < piece_size;
    merged.feed(which, std::move(piece), is_last);
  };
  for (size_t i = 0; i < ledgers.size(); ++i)
    feed(i, after);
  while (const auto hungry = merged.proceed())
    feed(*hungry, merged.last_of(*hungry));
  return {merged.page(), merged.next()};
}

/// All pages, one after the other.
ledger read_all(const std::vector<ledger>& ledgers, size_t count_max, size_t piece_size) {
  ledger all;
  uuid after;
  for (;;) {
    const auto one = page_of(ledgers, after, count_max, piece_size);
    all.insert(all.end(), one.records.begin(), one.records.end());
    if (!one.next)
      return all;
    CAF_REQUIRE(*one.next > after);
    after = *one.next;
  }
}

} // namespace

CAF_TEST(sums of the same function and hour are added and keep their order) {
  const auto sums = merge_usage({{row_of("a", 7, 1, 10), row_of("b", 6, 2, UINT64_C(9'007'199'254'740'993))},
                                 {},
                                 {row_of("a", 6, 4, 20), row_of("a", 7, 8, 30), row_of("b", 6, 1, 1)}});
  const std::vector<usage_row> expected{row_of("a", 6, 4, 20), row_of("a", 7, 9, 40),
                                        row_of("b", 6, 3, UINT64_C(9'007'199'254'740'994))};
  CAF_CHECK(sums == expected);
}

CAF_TEST(tenants are never added up) {
  auto other = row_of("a", 7, 1, 10);
  other.tenant = "acme";
  CAF_CHECK_EQUAL(merge_usage({{row_of("a", 7, 1, 10)}, {other}}).size(), 2u);
}

CAF_TEST(the order of the ledgers makes no difference to the sums) {
  std::vector<std::vector<usage_row>> ledgers;
  for (uint64_t i = 0; i < 5; ++i)
    ledgers.push_back({row_of("a", 1, i, i * 1'000'003), row_of("b", static_cast<int64_t>(i % 2), 1, i)});
  const auto sums = merge_usage(ledgers);
  std::ranges::reverse(ledgers);
  CAF_CHECK(merge_usage(ledgers) == sums);
  CAF_CHECK_EQUAL(sums.size(), 3u);
}

CAF_TEST(reports are added up and faults tell their node) {
  const auto all = merge_reports({{"n1", {3, 1, {"one"}}}, {"n2", {4, 2, {}}}, {"n3", {5, 3, {"one", "two"}}}});
  CAF_CHECK_EQUAL(all.records, 12u);
  CAF_CHECK_EQUAL(all.rows, 6u);
  CAF_CHECK(all.faults == std::vector<std::string>({"n1: one", "n3: one", "n3: two"}));
  const auto alone = merge_reports({{"", {3, 1, {"one"}}}});
  CAF_CHECK(alone.faults == std::vector<std::string>({"one"}));
}

CAF_TEST(pages of several ledgers give each record once and in order) {
  std::mt19937 random{7};
  for (size_t ledgers = 1; ledgers <= 5; ++ledgers) {
    for (const size_t piece_size : {1u, 2u, 7u, 1000u}) {
      std::vector<ledger> all(ledgers);
      ledger expected;
      for (uint64_t i = 1; i <= 100; ++i) {
        expected.push_back(record_of(i));
        all[random() % ledgers].push_back(expected.back());
      }
      for (const size_t count_max : {1u, 2u, 3u, 33u, 99u, 100u, 101u})
        CAF_CHECK(read_all(all, count_max, piece_size) == expected);
    }
  }
}

CAF_TEST(a page is full before there is a next one) {
  const std::vector<ledger> all{{record_of(1), record_of(4)}, {}, {record_of(2), record_of(3)}};
  const auto first = page_of(all, {}, 3, 2);
  CAF_CHECK_EQUAL(first.records.size(), 3u);
  CAF_CHECK(first.next == record_of(3).id);
  const auto second = page_of(all, *first.next, 3, 2);
  CAF_CHECK(second.records == ledger{record_of(4)});
  CAF_CHECK(!second.next);
  CAF_CHECK(!page_of(all, {}, 4, 2).next);
}

CAF_TEST(records of one id in several ledgers are all given whatever the page) {
  const std::vector<ledger> all{{record_of(1, "a"), record_of(2, "a"), record_of(4, "a")},
                                {record_of(2, "b"), record_of(3, "b")},
                                {record_of(2, "c"), record_of(4, "c")}};
  for (const size_t count_max : {1u, 2u, 3u, 4u, 5u, 6u, 7u})
    for (const size_t piece_size : {1u, 2u, 10u}) {
      const auto read = read_all(all, count_max, piece_size);
      CAF_CHECK_EQUAL(read.size(), 7u);
      std::set<std::pair<uuid, std::string>> distinct;
      for (const auto& record : read)
        distinct.emplace(record.id, record.node);
      CAF_CHECK_EQUAL(distinct.size(), 7u);
    }
}

CAF_TEST(nothing is an empty page) {
  CAF_CHECK(page_of({}, {}, 5, 2).records.empty());
  CAF_CHECK(page_of({{}, {}}, {}, 5, 2).records.empty());
  CAF_CHECK(merge_usage({}).empty());
}
