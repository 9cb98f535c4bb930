#define CAF_SUITE actors.worker_table

#include "actors/worker_table.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

using namespace troupe;

namespace {

uuid revision(uint32_t number) {
  uuid result;
  for (size_t i = 0; i < 4; ++i)
    result.bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
  return result;
}

constexpr worker_capacity two_cores{2, 8 * limits::gib};

struct fixture {
  worker_index add(const std::string& node, const worker_capacity& capacity = two_cores) {
    const auto worker = table.add(node, capacity);
    CAF_REQUIRE(worker.has_value());
    return *worker;
  }

  uint32_t idle(worker_index worker, uint32_t number) const {
    return table.warm().idle_count(worker, revision(number));
  }

  /// The workers that are offered as having an idle one, sorted.
  std::vector<worker_index> offered(uint32_t number) const {
    std::vector<worker_index> workers;
    for (const auto& place : table.warm().idle(revision(number)))
      workers.push_back(place.worker);
    std::sort(workers.begin(), workers.end());
    return workers;
  }

  void run(worker_index worker, uint32_t number, run_end how) {
    table.answered(table.sent(worker, revision(number)), how);
  }

  worker_table table;
};

using indexes = std::vector<worker_index>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(worker_table_tests, fixture)

CAF_TEST(indexes are small and used again and a node is found by its name) {
  CAF_CHECK_EQUAL(add("a"), 0u);
  CAF_CHECK_EQUAL(add("b"), 1u);
  CAF_CHECK_EQUAL(add("c"), 2u);
  table.remove(1);
  CAF_CHECK_EQUAL(table.size(), 2u);
  CAF_CHECK(!table.find("b"));
  CAF_CHECK_EQUAL(add("d"), 1u);
  CAF_CHECK(table.find("d") == worker_index{1});
  CAF_CHECK_EQUAL(table.node(1), "d");
  const indexes open(table.open().begin(), table.open().end());
  CAF_CHECK_EQUAL(open, (indexes{0, 1, 2}));
}

CAF_TEST(there are no more workers than may be) {
  for (size_t i = 0; i < limits::workers_max; ++i)
    add("n" + std::to_string(i), {1, limits::gib});
  CAF_CHECK(!table.add("one-more", two_cores));
  table.remove(7);
  CAF_CHECK(table.add("one-more", two_cores) == worker_index{7});
}

CAF_TEST(what is in flight counts once whether the worker has reported it or not ) {
  const auto worker = add("a");
  const auto first = table.sent(worker, revision(1));
  const auto second = table.sent(worker, revision(1));
  CAF_CHECK_EQUAL(table.load(worker), 2u);
  table.report(worker, {.running = 1, .waiting = 1});
  CAF_CHECK_EQUAL(table.load(worker), 2u);
  table.report(worker, {.running = 2, .waiting = 3}); // Three of these are of others.
  CAF_CHECK_EQUAL(table.load(worker), 5u);
  table.answered(first, run_end::cold);
  table.answered(second, run_end::cold);
  CAF_CHECK_EQUAL(table.load(worker), 3u);
  CAF_CHECK_EQUAL(table.in_flight(worker), 0u);
  table.report(worker, {});
  CAF_CHECK_EQUAL(table.load(worker), 0u);
}

CAF_TEST(an answer tells how much others have there) {
  const auto worker = add("a");
  const auto first = table.sent(worker, revision(1));
  const auto second = table.sent(worker, revision(1));
  table.answered(first, run_end::warm);
  table.hear_load(first, 3, 2); // the second one is among those
  CAF_CHECK_EQUAL(table.load(worker), 5u);
  table.answered(second, run_end::warm);
  CAF_CHECK_EQUAL(table.load(worker), 4u);
  table.hear_load(second, 0, 0);
  CAF_CHECK_EQUAL(table.load(worker), 0u);
  table.remove(worker);
  table.hear_load(second, 7, 7); // too late: another one may have its index
  CAF_CHECK_EQUAL(table.load(add("b")), 0u);
}

CAF_TEST(one that has refused is not offered until it reports) {
  const auto worker = add("a");
  const auto other = add("b");
  const auto sent = table.sent(worker, revision(1));
  table.answered(sent, run_end::refused);
  table.refused(sent);
  CAF_CHECK(indexes(table.open().begin(), table.open().end()) == indexes{other});
  table.report(worker, {});
  CAF_CHECK_EQUAL(table.open().size(), 2u);
}

CAF_TEST(a share is by weight and a free core is always within it) {
  const auto small = add("small", {2, 64 * limits::gib});
  const auto large = add("large", {6, 64 * limits::gib});
  table.report(small, {.running = 1});
  table.report(large, {.running = 11});
  CAF_CHECK(table.within_share(small, 100));  // It has a free core.
  CAF_CHECK(!table.within_share(large, 100)); // With one more there are 13, of which 9.75 are its share, rounded up.
  table.report(small, {.running = 3});
  table.report(large, {.running = 8});
  // With one more there are 12: 3 for the small one, 9 for the large one.
  CAF_CHECK(!table.within_share(small, 100));
  CAF_CHECK(table.within_share(large, 100));
  CAF_CHECK(table.within_share(small, 125));
  CAF_CHECK(table.less_loaded(large, small));
  CAF_CHECK(!table.less_loaded(small, large));
}

CAF_TEST(cores without memory weigh less) {
  const auto rich = add("rich", {8, 64 * limits::gib});
  const auto poor = add("poor", {8, 2 * limits::gib});
  table.report(rich, {.running = 20});
  table.report(poor, {.running = 10});
  CAF_CHECK(table.less_loaded(rich, poor));
}

CAF_TEST(a run leaves an idle sandbox and the next one takes it) {
  const auto worker = add("a");
  const auto first = table.sent(worker, revision(1));
  CAF_CHECK(!first.sandbox.to_idle);
  CAF_CHECK_EQUAL(idle(worker, 1), 0u);
  table.answered(first, run_end::cold);
  CAF_CHECK_EQUAL(idle(worker, 1), 1u);
  CAF_CHECK_EQUAL(offered(1), indexes{worker});
  CAF_CHECK_EQUAL(offered(2), indexes{});
  const auto second = table.sent(worker, revision(1));
  CAF_CHECK(second.sandbox.to_idle);
  CAF_CHECK_EQUAL(offered(1), indexes{});
  table.answered(second, run_end::warm);
  CAF_CHECK_EQUAL(idle(worker, 1), 1u);
}

CAF_TEST(those that share a sandbox leave one and not two) {
  const auto worker = add("a");
  run(worker, 1, run_end::cold);
  const auto first = table.sent(worker, revision(1));
  const auto second = table.sent(worker, revision(1)); // It waits for the first one's sandbox.
  table.answered(first, run_end::warm);
  CAF_CHECK_EQUAL(idle(worker, 1), 0u);
  table.answered(second, run_end::warm);
  CAF_CHECK_EQUAL(idle(worker, 1), 1u);
}

CAF_TEST(knowledge mends itself and follows what workers tell) {
  const auto worker = add("a");
  std::vector<trip> trips;
  for (int i = 0; i < 3; ++i)
    trips.push_back(table.sent(worker, revision(1)));
  for (const auto& which : trips)
    table.answered(which, run_end::cold);
  CAF_CHECK_EQUAL(idle(worker, 1), 3u);
  run(worker, 1, run_end::cold); // One of the three had gone.
  CAF_CHECK_EQUAL(idle(worker, 1), 3u);
  run(worker, 1, run_end::broken);
  CAF_CHECK_EQUAL(idle(worker, 1), 2u);
  run(worker, 1, run_end::refused);
  CAF_CHECK_EQUAL(idle(worker, 1), 2u);
  table.remaining(worker, revision(1), 5); // Others' ones among them.
  CAF_CHECK_EQUAL(idle(worker, 1), 2u);
  table.remaining(worker, revision(1), 1);
  CAF_CHECK_EQUAL(idle(worker, 1), 1u);
  table.remaining(worker, revision(1), 0);
  CAF_CHECK_EQUAL(idle(worker, 1), 0u);
  CAF_CHECK_EQUAL(table.warm().count(worker), 0u);
  run(worker, 1, run_end::cold);
  const auto late = table.sent(worker, revision(1)); // And meanwhile its sandbox ends.
  table.remaining(worker, revision(1), 0);
  table.answered(late, run_end::cold);
  CAF_CHECK_EQUAL(idle(worker, 1), 1u);
  table.remaining(worker, revision(1), 0);
  run(worker, 2, run_end::broken);
  run(worker, 3, run_end::refused);
  CAF_CHECK_EQUAL(table.warm().count(worker), 0u);
}

CAF_TEST(a worker that drains is not offered and comes back with what is known of it) {
  const auto a = add("a");
  const auto b = add("b");
  run(a, 1, run_end::cold);
  run(b, 1, run_end::cold);
  table.report(a, {.draining = true});
  CAF_CHECK_EQUAL(offered(1), indexes{b});
  CAF_CHECK_EQUAL(table.open().size(), 1u);
  const auto late = table.sent(a, revision(1)); // It was chosen before.
  table.answered(late, run_end::warm);
  CAF_CHECK_EQUAL(offered(1), indexes{b});
  table.report(a, {});
  CAF_CHECK_EQUAL(offered(1), (indexes{a, b}));
  CAF_CHECK_EQUAL(table.open().size(), 2u);
}

CAF_TEST(what a worker that has gone answers is not taken for an answer of the next one) {
  const auto worker = add("a");
  run(worker, 1, run_end::cold);
  const auto late = table.sent(worker, revision(1));
  table.remove(worker);
  CAF_CHECK_EQUAL(offered(1), indexes{});
  table.answered(late, run_end::warm);
  CAF_CHECK_EQUAL(add("b"), worker);
  CAF_CHECK_EQUAL(idle(worker, 1), 0u);
  const auto own = table.sent(worker, revision(2));
  table.answered(late, run_end::warm);
  CAF_CHECK_EQUAL(table.load(worker), 1u);
  CAF_CHECK_EQUAL(offered(1), indexes{});
  table.answered(own, run_end::cold);
  CAF_CHECK_EQUAL(offered(2), indexes{worker});
}

CAF_TEST(a revision that is no longer deployed is forgotten everywhere) {
  const auto a = add("a");
  const auto b = add("b");
  run(a, 1, run_end::cold);
  run(b, 1, run_end::cold);
  run(b, 2, run_end::cold);
  const auto late = table.sent(b, revision(1));
  table.forget(revision(1));
  CAF_CHECK_EQUAL(offered(1), indexes{});
  CAF_CHECK_EQUAL(offered(2), indexes{b});
  table.answered(late, run_end::warm);
  CAF_CHECK_EQUAL(offered(1), indexes{});
  CAF_CHECK_EQUAL(table.warm().count(a), 0u);
  CAF_CHECK_EQUAL(table.warm().count(b), 1u);
}

CAF_TEST(of too many revisions those are forgotten that ran longest ago) {
  const auto worker = add("a");
  const auto busy = table.sent(worker, revision(0));
  for (uint32_t i = 1; i < limits::warm_revisions_max; ++i)
    run(worker, i, run_end::cold);
  run(worker, 1, run_end::warm);
  CAF_CHECK_EQUAL(table.warm().count(worker), limits::warm_revisions_max);
  run(worker, 1'000'000, run_end::cold);
  CAF_CHECK_EQUAL(table.warm().count(worker), limits::warm_revisions_max);
  CAF_CHECK_EQUAL(idle(worker, 1), 1u);
  CAF_CHECK_EQUAL(idle(worker, 2), 0u);
  table.answered(busy, run_end::cold); // It was in flight and is not forgotten.
  CAF_CHECK_EQUAL(idle(worker, 0), 1u);
}

CAF_TEST(with everything in flight further revisions are not remembered) {
  const auto worker = add("a");
  std::vector<trip> trips;
  for (uint32_t i = 0; i <= limits::warm_revisions_max; ++i)
    trips.push_back(table.sent(worker, revision(i)));
  for (const auto& which : trips)
    table.answered(which, run_end::cold);
  CAF_CHECK_EQUAL(table.warm().count(worker), limits::warm_revisions_max);
  CAF_CHECK_EQUAL(idle(worker, limits::warm_revisions_max), 0u);
  CAF_CHECK_EQUAL(table.load(worker), 0u);
}

/// Beside the table a plain model of the same rules; after thousands of drawn steps both know the same.
CAF_TEST(the index is exact whatever happens in whatever order) {
  struct model_trip {
    trip real;
    worker_index worker;
    uint32_t number;
    bool to_idle;
  };
  std::map<std::pair<worker_index, uint32_t>, std::pair<uint32_t, uint32_t>> model; // Known, in flight.
  std::vector<model_trip> trips;
  std::minstd_rand draw{42};
  const auto below = [&draw](uint32_t count) { return static_cast<uint32_t>(draw() >> 8) % count; };
  for (int i = 0; i < 8; ++i)
    add("n" + std::to_string(i));
  uint32_t faults = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto worker = below(8);
    const auto number = below(12);
    const auto what = below(100);
    if (what < 48) {
      auto& [known, in_flight] = model[{worker, number}];
      trips.push_back({table.sent(worker, revision(number)), worker, number, known > in_flight++});
      faults += trips.back().to_idle != trips.back().real.sandbox.to_idle;
    } else if (what < 96 && !trips.empty()) {
      std::swap(trips[below(static_cast<uint32_t>(trips.size()))], trips.back());
      const auto which = trips.back();
      trips.pop_back();
      auto& [known, in_flight] = model[{which.worker, which.number}];
      const auto how = static_cast<run_end>(below(4));
      table.answered(which.real, how);
      --in_flight;
      if (how == run_end::cold && !which.to_idle)
        ++known;
      else if (how == run_end::warm || how == run_end::cold)
        known = std::max(known, 1U);
      else if (how == run_end::broken && which.to_idle && known > 0)
        --known;
    } else if (what < 99) {
      const auto left = below(4);
      table.remaining(worker, revision(number), left);
      auto& known = model[{worker, number}].first;
      known = std::min(known, left);
    } else {
      table.remove(worker);
      const auto again = add("again" + std::to_string(step));
      CAF_REQUIRE_EQUAL(again, worker);
      std::erase_if(trips, [worker](const model_trip& which) { return which.worker == worker; });
      for (uint32_t i = 0; i < 12; ++i)
        model.erase({worker, i});
    }
    indexes wanted;
    for (worker_index i = 0; i < 8; ++i) {
      const auto& [known, in_flight] = model[{i, number}];
      faults += idle(i, number) != (known > in_flight ? known - in_flight : 0);
      if (known > in_flight)
        wanted.push_back(i);
    }
    faults += offered(number) != wanted;
  }
  CAF_CHECK_EQUAL(faults, 0u);
  CAF_CHECK(!trips.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
