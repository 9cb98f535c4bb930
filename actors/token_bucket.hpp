#pragma once

#include <chrono>
#include <cstdint>

namespace troupe {

/// Lets so many requests a second pass, and as many at one time after a second of rest: the token bucket of RFC 2697
/// with a burst of one second's worth. In whole numbers, so that nothing is lost however often it is asked: a token is
/// 10^9 drops, and every nanosecond brings as many drops as the rate is. A value without a clock.
class token_bucket {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Full at `now`. `per_second` is at least 1, at most limits::tenant_rate_max.
  token_bucket(uint32_t per_second, time_point now) noexcept;

  /// Takes a token when there is one. A time before that of an earlier call counts as that one.
  [[nodiscard]] bool take(time_point now) noexcept;

private:
  uint64_t per_second_;
  uint64_t drops_;
  time_point filled_;
};

} // namespace troupe
