#include "storage/pricing.hpp"

#include <algorithm>
#include <limits>

namespace troupe::storage {

namespace {

using wide = unsigned __int128;

constexpr wide wide_max = ~wide{0};
constexpr uint64_t ns_per_ms = 1'000'000;
constexpr uint64_t mb_ms_per_gb_second = 1024 * 1000;

uint64_t saturated(wide value) noexcept {
  return static_cast<uint64_t>(std::min<wide>(value, std::numeric_limits<uint64_t>::max()));
}

} // namespace

uint64_t billed_ms(uint64_t run_ns, std::chrono::milliseconds granularity) noexcept {
  const wide granule_ms = static_cast<uint64_t>(std::max<int64_t>(1, granularity.count()));
  const wide granule_ns = granule_ms * ns_per_ms;
  const wide granules = std::max<wide>(1, (run_ns + granule_ns - 1) / granule_ns);
  return saturated(granules * granule_ms);
}

uint64_t cost_pico(uint64_t billed_ms, uint32_t memory_mb, uint64_t price_per_gb_second_pico,
                   uint64_t price_per_request_pico) noexcept {
  const wide mb_ms = static_cast<wide>(billed_ms) * memory_mb; // 96 bits
  if (price_per_gb_second_pico != 0 && mb_ms > (wide_max - mb_ms_per_gb_second) / price_per_gb_second_pico)
    return std::numeric_limits<uint64_t>::max();
  const wide time = (mb_ms * price_per_gb_second_pico + mb_ms_per_gb_second / 2) / mb_ms_per_gb_second;
  return saturated(std::min<wide>(time, std::numeric_limits<uint64_t>::max()) + price_per_request_pico);
}

} // namespace troupe::storage
