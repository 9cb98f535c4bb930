#pragma once

#include <chrono>
#include <cstdint>

/// What an invocation costs. All in integers: money is in pico (10^-12) of the currency. A throttled invocation was
/// not run and bills nothing: its billed time and its cost are 0 without asking here.
namespace troupe::storage {

/// The time to bill for a run of `run_ns`, in ms: rounded up to whole granules, and at least one granule, since a
/// run that was too short to measure was a run. `granularity` under 1 ms counts as 1 ms. Stops at the largest number.
uint64_t billed_ms(uint64_t run_ns, std::chrono::milliseconds granularity) noexcept;

/// The price of one invocation: that of its request, and that of `memory_mb` (MiB) held for `billed_ms`, where a
/// GB-second is 1024 MiB for 1000 ms. The exact sum is rounded once, to the nearest pico, halves upwards. Stops at
/// the largest number.
uint64_t cost_pico(uint64_t billed_ms, uint32_t memory_mb, uint64_t price_per_gb_second_pico,
                   uint64_t price_per_request_pico) noexcept;

} // namespace troupe::storage
