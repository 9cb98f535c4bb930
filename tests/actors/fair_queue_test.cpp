#define CAF_SUITE actors.fair_queue

#include "actors/fair_queue.hpp"

#include <caf/test/unit_test.hpp>

#include <vector>

using troupe::fair_queue;

namespace {

/// Flows that always have something to do, and what each was given.
struct fixture {
  fair_queue::flow add(uint32_t weight) {
    const auto which = queue.add(weight);
    served.resize(std::max<size_t>(served.size(), which + 1));
    queue.push(which);
    return which;
  }

  /// Serves `turns` turns, each flow's of the cost that `costs` gives it.
  void serve(int turns, const std::vector<uint64_t>& costs) {
    for (int turn = 0; turn < turns; ++turn) {
      const auto which = queue.front();
      queue.charge(costs[which]);
      served[which] += costs[which];
    }
  }

  fair_queue queue;
  std::vector<uint64_t> served;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(fair_queue_tests, fixture)

CAF_TEST(equal flows take turns) {
  const auto a = add(1);
  const auto b = add(1);
  for (int turn = 0; turn < 10; ++turn) {
    CAF_CHECK_EQUAL(queue.front(), turn % 2 == 0 ? a : b);
    queue.charge(100);
  }
}

CAF_TEST(a flow whose turns cost more gets fewer of them) {
  const auto a = add(1);
  const auto b = add(1);
  serve(1100, {1000, 100});
  CAF_CHECK_EQUAL(served[a], 100'000u);
  CAF_CHECK_EQUAL(served[b], 100'000u);
}

CAF_TEST(weights divide what is given) {
  const auto a = add(3);
  const auto b = add(1);
  serve(4000, {100, 100});
  CAF_CHECK_EQUAL(served[a], 3 * served[b]);
}

CAF_TEST(who comes late is next but does not make up for the time away) {
  const auto a = add(1);
  serve(1000, {100, 100});
  const auto b = add(1);
  CAF_CHECK_EQUAL(queue.front(), b);
  serve(100, {100, 100});
  CAF_CHECK(served[b] <= 5200);
  CAF_CHECK_EQUAL(served[a] + served[b], 110000u);
}

CAF_TEST(what a turn has really cost is made up for) {
  const auto a = add(1);
  const auto b = add(1);
  uint64_t real = 0;
  for (int turn = 0; turn < 1100; ++turn) {
    const auto which = queue.front();
    queue.charge(100); // an estimate
    if (which == a) {
      queue.correct(a, 900);
      real += 1000;
    } else {
      served[b] += 100;
    }
  }
  CAF_CHECK(real <= served[b] + 2000);
  CAF_CHECK(served[b] <= real + 2000);
}

CAF_TEST(what was cheaper than expected is given back) {
  const auto a = add(1);
  add(1);
  uint64_t turns_of_a = 0;
  for (int turn = 0; turn < 1100; ++turn) {
    const auto which = queue.front();
    queue.charge(1000);
    if (which == a) {
      queue.correct(a, -900);
      ++turns_of_a;
    }
  }
  CAF_CHECK(turns_of_a >= 990);
}

CAF_TEST(a flow without work is passed over and forgotten when it is removed) {
  const auto a = add(1);
  const auto b = add(1);
  queue.pop();
  CAF_CHECK_EQUAL(queue.front(), b);
  queue.pop();
  CAF_CHECK(queue.empty());
  queue.remove(a);
  CAF_CHECK_EQUAL(queue.add(2), a);
  queue.push(a);
  queue.push(a);
  queue.pop();
  CAF_CHECK(queue.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
