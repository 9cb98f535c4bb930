#pragma once

#include "config/limits.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// How much a sandbox weighs where CPU is short: it grows with its memory. A core's worth of memory weighs what the
/// kernel gives a group that nobody has weighed.
namespace troupe::handlers::cpu_share {

/// cpu.weight of that many together.
constexpr uint64_t of_v2(uint32_t memory_mb, size_t sandboxes = 1) noexcept {
  return std::clamp<uint64_t>(uint64_t{100} * memory_mb * sandboxes / limits::memory_mb_a_core, 1, 10'000);
}

/// cpu.shares of that many together.
constexpr uint64_t of_v1(uint32_t memory_mb, size_t sandboxes = 1) noexcept {
  return std::clamp<uint64_t>(uint64_t{1024} * memory_mb * sandboxes / limits::memory_mb_a_core, 2, 262'144);
}

} // namespace troupe::handlers::cpu_share
