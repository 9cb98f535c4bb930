#include "actors/token_bucket.hpp"

#include <algorithm>

namespace troupe {

namespace {

using std::chrono::nanoseconds;

constexpr uint64_t drops_of_token = 1'000'000'000;
constexpr nanoseconds burst{1'000'000'000};

} // namespace

token_bucket::token_bucket(uint32_t per_second, time_point now) noexcept
  : per_second_{std::max(per_second, 1U)}, drops_{per_second_ * drops_of_token}, filled_{now} {}

bool token_bucket::take(time_point now) noexcept {
  if (now > filled_) {
    // No longer than what fills it: the product stays small.
    const auto rest = static_cast<uint64_t>(std::min<nanoseconds>(now - filled_, burst).count());
    drops_ = std::min(drops_ + rest * per_second_, per_second_ * drops_of_token);
    filled_ = now;
  }
  if (drops_ < drops_of_token)
    return false;
  drops_ -= drops_of_token;
  return true;
}

} // namespace troupe
