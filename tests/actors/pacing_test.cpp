#define CAF_SUITE actors.pacing

#include "actors/pacing.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace std::chrono_literals;
using handlers::pace;

namespace {

struct pacing_fixture {
  /// The pace that is in force for a run that comes after `pause` and uses `cpu`.
  pace run(std::chrono::nanoseconds pause, std::chrono::nanoseconds cpu = 20us,
           std::chrono::nanoseconds waited = 50us) {
    if (const auto next = rule.begins(pause, waited)) {
      ++changes;
      now = *next;
    }
    rule.ended(cpu);
    return now;
  }

  pacing rule;
  pace now = pace::crowded; ///< as a sandbox is born
  int changes = 0;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(pacing_tests, pacing_fixture)

CAF_TEST(who comes once in a while is eager and stays so without a further call) {
  for (int n = 0; n < 10; ++n)
    CAF_CHECK(run(80us) == pace::eager);
  CAF_CHECK_EQUAL(changes, 1);
}

CAF_TEST(who gets one event after another is crowded and becomes eager when that ends) {
  run(80us);
  for (int n = 0; n < 15; ++n)
    CAF_CHECK(run(5us) == pace::eager);
  CAF_CHECK(run(5us) == pace::crowded);
  for (int n = 0; n < 15; ++n)
    CAF_CHECK(run(80us) == pace::crowded);
  CAF_CHECK(run(80us) == pace::eager);
}

CAF_TEST(who stood in a queue while other sandboxes ran is crowded too) {
  run(80us);
  for (int n = 0; n < 15; ++n)
    run(80us, 20us, 2ms);
  CAF_CHECK(run(80us, 20us, 2ms) == pace::crowded);
}

CAF_TEST(a mixture of both does not go to and fro) {
  run(80us);
  for (int n = 0; n < 100; ++n) {
    run(5us);
    run(80us);
  }
  CAF_CHECK_EQUAL(changes, 1);
}

CAF_TEST(after a run that has used a core for long the next is heavy and after a short one no more) {
  CAF_CHECK(run(80us, 5ms) == pace::eager); // nobody knew
  CAF_CHECK(run(80us, 5ms) == pace::heavy);
  CAF_CHECK(run(80us, 20us) == pace::heavy);
  CAF_CHECK(run(80us, 20us) == pace::eager);
  CAF_CHECK_EQUAL(changes, 3);
}

CAF_TEST(a sandbox that is asked at once and burns is heavy) {
  CAF_CHECK(run(5us, 5ms) == pace::crowded);
  for (int n = 0; n < 40; ++n)
    CAF_CHECK(run(5us, 5ms) == pace::heavy);
  run(5us, 20us);
  CAF_CHECK(run(5us, 20us) == pace::crowded);
}

CAF_TEST_FIXTURE_SCOPE_END()
