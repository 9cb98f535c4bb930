#pragma once

#include <cstdint>

namespace troupe {

/// Spreads the bits of `x` over the whole word: the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast Splittable
/// Pseudorandom Number Generators", OOPSLA 2014).
constexpr uint64_t mix_bits(uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Numbers that are random enough for choosing, not for secrets: SplitMix64. The same seed gives the same numbers.
class random_source {
public:
  explicit constexpr random_source(uint64_t seed) noexcept : state_{seed} {}

  constexpr uint64_t next() noexcept { return mix_bits(state_ += 0x9e3779b97f4a7c15); }

  /// Below `count`, which is 1 or more: by a product in place of a division.
  constexpr uint32_t below(uint32_t count) noexcept { return static_cast<uint32_t>(((next() >> 32) * count) >> 32); }

private:
  uint64_t state_;
};

} // namespace troupe
