#define CAF_SUITE actors.token_bucket

#include "actors/token_bucket.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

const token_bucket::time_point start{1h};

/// So many requests at that time after the start, and how many of them pass.
struct step {
  std::chrono::nanoseconds at;
  uint32_t asked;
  uint32_t passed;
};

struct course {
  uint32_t per_second;
  std::vector<step> steps;
};

uint32_t pass(token_bucket& bucket, uint32_t asked, std::chrono::nanoseconds at) {
  uint32_t passed = 0;
  for (uint32_t i = 0; i < asked; ++i)
    passed += bucket.take(start + at) ? 1 : 0;
  return passed;
}

const course courses[] = {
  // One at a time, one second apart.
  {1, {{0ns, 3, 1}, {999'999'999ns, 3, 0}, {1s, 3, 1}, {1s, 3, 0}, {10s, 3, 1}}},
  // A burst of one second's worth, then a tenth of a second for each.
  {10, {{0ns, 100, 10}, {99ms, 1, 0}, {100ms, 2, 1}, {199'999'999ns, 1, 0}, {200ms, 1, 1}, {700ms, 9, 5}}},
  // What is not used is kept for one second, no longer.
  {10, {{0ns, 4, 4}, {1h, 100, 10}, {1h, 1, 0}}},
  // A third of a second is no whole number of nanoseconds: the third token comes late by less than one.
  {3, {{0ns, 9, 3}, {333'333'333ns, 1, 0}, {333'333'334ns, 1, 1}, {666'666'667ns, 1, 1}, {1s, 1, 1}, {1s, 1, 0}}},
  // Time that runs backwards gives nothing twice.
  {2, {{0ns, 2, 2}, {500ms, 1, 1}, {0ns, 1, 0}, {500ms, 1, 0}, {1s, 2, 1}}},
  {limits::tenant_rate_max, {{0ns, 1'000'001, 1'000'000}, {1us, 2, 1}, {3us, 3, 2}}},
};

} // namespace

CAF_TEST(so many pass and no more) {
  for (const auto& [per_second, steps] : courses) {
    token_bucket bucket{per_second, start};
    for (const auto& one : steps) {
      CAF_MESSAGE(per_second << "/s after " << one.at.count() << " ns");
      CAF_CHECK_EQUAL(pass(bucket, one.asked, one.at), one.passed);
    }
  }
}

CAF_TEST(nothing is lost however often it is asked) {
  token_bucket bucket{7, start};
  uint32_t passed = 0;
  constexpr auto span = 100s;
  for (auto at = 0ns; at <= span; at += 1'234'567ns)
    passed += pass(bucket, 1, at);
  // The full bucket and 7 for each second; the last one's time may be just short of the end.
  CAF_CHECK(passed == 706 || passed == 707);
}
