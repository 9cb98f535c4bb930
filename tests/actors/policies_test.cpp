#define CAF_SUITE actors.policies

#include "actors/policies.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace troupe;

namespace {

constexpr worker_capacity two_cores{2, 8 * limits::gib};

struct fixture {
  void add_workers(uint32_t count, const worker_capacity& capacity = two_cores) {
    for (uint32_t i = 0; i < count; ++i)
      CAF_REQUIRE(table.add("n" + std::to_string(made++), capacity).has_value());
  }

  uuid revision(uint64_t number) {
    uuid result;
    for (size_t i = 0; i < 8; ++i)
      result.bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
    return result;
  }

  worker_index choose(policy& by, uint64_t number = 0) {
    const auto chosen = by.choose(table, revision(number), random);
    CAF_REQUIRE(chosen.has_value());
    return *chosen;
  }

  /// They have been there for a while: nobody waits for a first share.
  void settle() {
    for (uint64_t i = 0; i < limits::newcomer_sends; ++i)
      table.answered(table.sent(0, revision(0)), run_end::refused);
  }

  void load(worker_index worker, uint32_t running) { table.report(worker, {.running = running}); }

  /// A run of the revision there, which leaves an idle sandbox.
  void warm_up(worker_index worker, uint64_t number) {
    table.answered(table.sent(worker, revision(number)), run_end::cold);
  }

  /// Where each of so many functions belongs when nothing runs.
  std::vector<std::string> homes(uint32_t functions) {
    policy by{policy_kind::warm_first};
    std::vector<std::string> result;
    for (uint32_t i = 0; i < functions; ++i)
      result.push_back(table.node(choose(by, i)));
    return result;
  }

  static size_t moved(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    size_t count = 0;
    for (size_t i = 0; i < a.size(); ++i)
      count += a[i] != b[i];
    return count;
  }

  uint32_t made = 0;
  worker_table table;
  random_source random{7};
};

constexpr policy_kind all_kinds[] = {policy_kind::warm_first, policy_kind::two_choices, policy_kind::least_loaded,
                                     policy_kind::round_robin, policy_kind::random};

} // namespace

CAF_TEST_FIXTURE_SCOPE(policies_tests, fixture)

CAF_TEST(each has a name and only these are names) {
  CAF_CHECK_EQUAL(policy_names.size(), std::size(all_kinds));
  for (const auto kind : all_kinds)
    CAF_CHECK(policy_named(name_of(kind)) == kind);
  CAF_CHECK(name_of(policy_kind::warm_first) == "warm-first");
  CAF_CHECK(name_of(policy_kind::random) == "random");
  for (const auto* text : {"", "warm", "Warm-first", "warm_first", "random "})
    CAF_CHECK(!policy_named(text));
}

CAF_TEST(without a worker that takes invocations nobody is chosen) {
  for (const auto kind : all_kinds) {
    policy by{kind};
    worker_table workers;
    CAF_CHECK(!by.choose(workers, revision(1), random));
    workers.add("a", two_cores);
    CAF_CHECK(by.choose(workers, revision(1), random) == worker_index{0});
    workers.report(0, {.draining = true});
    CAF_CHECK(!by.choose(workers, revision(1), random));
    workers.report(0, {});
    workers.remove(0);
    CAF_CHECK(!by.choose(workers, revision(1), random));
  }
}

CAF_TEST(a worker that drains is never chosen and one that joins is) {
  add_workers(5);
  warm_up(3, 0);
  table.report(3, {.draining = true});
  for (const auto kind : all_kinds) {
    policy by{kind};
    for (uint64_t i = 0; i < 1000; ++i)
      CAF_REQUIRE_NOT_EQUAL(choose(by, i), 3u);
  }
  add_workers(1);
  for (const auto kind : all_kinds) {
    policy by{kind};
    bool chosen = false;
    for (uint64_t i = 0; i < 1000; ++i)
      chosen = choose(by, i) == 5 || chosen;
    CAF_CHECK(chosen);
  }
}

CAF_TEST(round robin goes on where it was when workers come and go) {
  add_workers(4);
  policy by{policy_kind::round_robin};
  std::vector<worker_index> turns;
  for (int i = 0; i < 6; ++i)
    turns.push_back(choose(by));
  CAF_CHECK_EQUAL(turns, (std::vector<worker_index>{0, 1, 2, 3, 0, 1}));
  table.remove(2);
  CAF_CHECK_EQUAL(choose(by), 3u);
  CAF_CHECK_EQUAL(choose(by), 0u);
  add_workers(1); // As 2 again.
  CAF_CHECK_EQUAL(choose(by), 1u);
  CAF_CHECK_EQUAL(choose(by), 2u);
}

CAF_TEST(random is even) {
  add_workers(10);
  policy by{policy_kind::random};
  std::map<worker_index, int> counts;
  for (int i = 0; i < 10'000; ++i)
    ++counts[choose(by)];
  for (worker_index i = 0; i < 10; ++i) {
    CAF_CHECK(counts[i] > 850);
    CAF_CHECK(counts[i] < 1150);
  }
}

CAF_TEST(the least loaded is so for its weight and any of equals) {
  add_workers(3);
  add_workers(1, {8, 64 * limits::gib});
  policy by{policy_kind::least_loaded};
  for (worker_index i = 0; i < 3; ++i)
    load(i, 2 + i);
  load(3, 10);
  CAF_CHECK_EQUAL(choose(by), 3u); // 11 on 8 cores, against 3 on 2.
  load(3, 12);
  CAF_CHECK_EQUAL(choose(by), 0u);
  std::set<worker_index> chosen;
  for (worker_index i = 0; i < 4; ++i)
    load(i, i == 3 ? 100 : 5);
  for (int i = 0; i < 100; ++i)
    chosen.insert(choose(by));
  CAF_CHECK_EQUAL(chosen, (std::set<worker_index>{0, 1, 2}));
}

CAF_TEST(of two choices the less loaded is taken) {
  add_workers(2);
  policy by{policy_kind::two_choices};
  load(0, 5);
  for (int i = 0; i < 20; ++i)
    CAF_REQUIRE_EQUAL(choose(by), 1u); // The two are always different ones.
  add_workers(8);
  load(1, 0);
  // The most loaded of ten is never the better of two; any other is now and then.
  std::set<worker_index> chosen;
  for (int i = 0; i < 1000; ++i)
    chosen.insert(choose(by));
  CAF_CHECK_EQUAL(chosen.size(), 9u);
  CAF_CHECK(!chosen.contains(0));
}

CAF_TEST(two choices keep loads closer together than random ones) {
  const auto most = [this](policy_kind kind) {
    worker_table workers;
    for (int i = 0; i < 100; ++i)
      workers.add("n" + std::to_string(i), two_cores);
    policy by{kind};
    for (uint64_t i = 0; i < 1000; ++i)
      (void)workers.sent(*by.choose(workers, revision(i), random), revision(i));
    uint32_t result = 0;
    for (const auto i : workers.open())
      result = std::max(result, workers.load(i));
    return result;
  };
  CAF_CHECK_EQUAL(most(policy_kind::least_loaded), 10u);
  CAF_CHECK(most(policy_kind::two_choices) <= 13);
  CAF_CHECK(most(policy_kind::random) >= 15);
}

CAF_TEST(warm first goes to an idle sandbox wherever that is) {
  add_workers(50);
  policy by{policy_kind::warm_first};
  const auto home = choose(by, 9);
  const auto other = (home + 17) % 50;
  warm_up(other, 9);
  CAF_CHECK_EQUAL(choose(by, 9), other);
  const auto sent = table.sent(other, revision(9)); // Now it is busy.
  CAF_CHECK_EQUAL(choose(by, 9), home);
  table.answered(sent, run_end::warm);
  CAF_CHECK_EQUAL(choose(by, 9), other);
  table.remaining(other, revision(9), 0);
  CAF_CHECK_EQUAL(choose(by, 9), home);
}

CAF_TEST(of several idle sandboxes that on the less loaded worker is taken) {
  add_workers(50);
  policy by{policy_kind::warm_first};
  for (const worker_index i : {4u, 20u, 33u})
    warm_up(i, 1);
  load(4, 2);
  load(20, 1);
  load(33, 2);
  for (int i = 0; i < 20; ++i)
    CAF_REQUIRE_EQUAL(choose(by, 1), 20u);
}

CAF_TEST(not even an idle sandbox draws more to a worker than twice its share) {
  add_workers(10);
  settle();
  policy by{policy_kind::warm_first};
  for (worker_index i = 0; i < 10; ++i)
    load(i, 4);
  warm_up(6, 1);
  load(6, 8); // 44 and one more: a share is 4.5.
  CAF_CHECK_EQUAL(choose(by, 1), 6u);
  load(6, 10);
  CAF_CHECK_NOT_EQUAL(choose(by, 1), 6u);
}

CAF_TEST(a worker that joins under steady load gets its share) {
  add_workers(1);
  settle();
  policy by{policy_kind::warm_first};
  // Ten at a time of one function, all warm on the first worker.
  std::vector<trip> going_on;
  for (int i = 0; i < 10; ++i)
    going_on.push_back(table.sent(0, revision(1)));
  const auto go_on = [&](int runs) {
    for (int i = 0; i < runs; ++i) {
      auto& oldest = going_on[static_cast<size_t>(i) % going_on.size()];
      table.answered(oldest, run_end::cold);
      oldest = table.sent(choose(by, 1), revision(1));
    }
  };
  go_on(100);
  CAF_CHECK_EQUAL(table.load(0), 10u);
  add_workers(1);
  CAF_CHECK(table.has_newcomer());
  go_on(10);
  CAF_CHECK_GREATER_OR_EQUAL(table.load(1), 3u);
  CAF_CHECK(!table.has_newcomer());
}

CAF_TEST(without idle sandboxes nobody gets more than a quarter above the share) {
  add_workers(40);
  policy by{policy_kind::warm_first};
  uint64_t total = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const auto number = i % 3; // Three functions alone would be at home on three workers.
    const auto chosen = choose(by, number);
    (void)table.sent(chosen, revision(number));
    ++total;
    const auto bound = std::max<uint64_t>(2, (125 * total + 100 * 40 - 1) / (100 * 40));
    CAF_REQUIRE(table.load(chosen) <= bound);
  }
}

CAF_TEST(a burst fills the free cores of the first worker before it goes on to the next) {
  add_workers(10);
  policy by{policy_kind::warm_first};
  std::map<worker_index, int> counts;
  for (int i = 0; i < 6; ++i) {
    const auto chosen = choose(by, 5);
    ++counts[chosen];
    (void)table.sent(chosen, revision(5));
  }
  CAF_CHECK_EQUAL(counts.size(), 3u);
  for (const auto& [worker, count] : counts)
    CAF_CHECK_EQUAL(count, 2);
}

CAF_TEST(a worker that joins or leaves moves its own share of the functions and no other) {
  constexpr uint32_t functions = 10'000;
  add_workers(50);
  const auto before = homes(functions);
  const auto own = std::count(before.begin(), before.end(), "n20");
  CAF_CHECK(own > 100); // 200 is the mean.
  CAF_CHECK(own < 300);
  table.remove(20);
  const auto without = homes(functions);
  CAF_CHECK_EQUAL(moved(before, without), static_cast<size_t>(own));
  CAF_CHECK(table.add("n20", two_cores) == worker_index{20});
  CAF_CHECK_EQUAL(moved(before, homes(functions)), 0u);
  table.report(20, {.draining = true});
  CAF_CHECK_EQUAL(moved(without, homes(functions)), 0u);
  table.report(20, {});
  CAF_CHECK_EQUAL(moved(before, homes(functions)), 0u);
  add_workers(1);
  const auto after = homes(functions);
  const auto to_new = static_cast<size_t>(std::count(after.begin(), after.end(), "n50"));
  CAF_CHECK_EQUAL(moved(before, after), to_new);
  CAF_CHECK(to_new > 90);
  CAF_CHECK(to_new < 310);
}

CAF_TEST(homes do not depend on the order in which a balancer met its workers) {
  worker_table other;
  for (int i = 29; i >= 0; --i)
    other.add("n" + std::to_string(i), two_cores);
  add_workers(30);
  policy by{policy_kind::warm_first};
  for (uint64_t i = 0; i < 500; ++i)
    CAF_REQUIRE_EQUAL(table.node(choose(by, i)), other.node(*by.choose(other, revision(i), random)));
}

CAF_TEST(a worker with more cores is home to more functions) {
  add_workers(20);
  add_workers(1, {8, 64 * limits::gib});
  const auto where = homes(10'000);
  const auto large = std::count(where.begin(), where.end(), "n20");
  CAF_CHECK(large > 1200); // 8 of 48 cores: 1667.
  CAF_CHECK(large < 2150);
}

CAF_TEST_FIXTURE_SCOPE_END()
