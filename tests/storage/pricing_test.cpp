#define CAF_SUITE storage.pricing

#include "storage/pricing.hpp"

#include <caf/test/unit_test.hpp>

#include <limits>

#include <caf/test/dsl.hpp>

using namespace troupe::storage;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t most = std::numeric_limits<uint64_t>::max();

struct time_case {
  uint64_t run_ns;
  std::chrono::milliseconds granularity;
  uint64_t billed;
};

struct cost_case {
  uint64_t ms;
  uint32_t mb;
  uint64_t per_gb_second;
  uint64_t per_request;
  uint64_t cost;
};

} // namespace

CAF_TEST(billed time is rounded up to whole granules) {
  const time_case cases[] = {
    {0, 1ms, 1}, // too short to measure, and still a run
    {0, 100ms, 100},
    {1, 1ms, 1},
    {999'999, 1ms, 1},
    {1'000'000, 1ms, 1},
    {1'000'001, 1ms, 2},
    {1, 100ms, 100},
    {100'000'000, 100ms, 100},
    {100'000'001, 100ms, 200},
    {900'000'000'000, 1ms, 900'000},
    {5'000'001, 0ms, 6}, // no granularity is 1 ms
    {5'000'001, -7ms, 6},
    {most, 1ms, 18'446'744'073'710},
    {most, std::chrono::milliseconds::max(), static_cast<uint64_t>(std::numeric_limits<int64_t>::max())},
  };
  for (const auto& each : cases)
    CAF_CHECK_EQUAL(billed_ms(each.run_ns, each.granularity), each.billed);
}

CAF_TEST(cost is the request and the memory held for the billed time) {
  const cost_case cases[] = {
    {1000, 1024, 16'666'700, 0, 16'666'700}, // one GB-second
    {1000, 1024, 16'666'700, 200'000, 16'866'700},
    {1, 128, 16'666'700, 200'000, 202'083},   // 2083.3375
    {100, 128, 16'666'700, 200'000, 408'334}, // 208333.75
    {0, 128, 16'666'700, 200'000, 200'000},
    {0, 0, 0, 0, 0},
    {1, 1, 512'000, 0, 1}, // half a pico goes up
    {1, 1, 511'999, 0, 0},
    {1, 1, 1'535'999, 0, 1},
    {1, 1, 1'536'000, 0, 2},
    {900'000, 10'240, 16'666'700, 200'000, 150'000'500'000},
    {most, std::numeric_limits<uint32_t>::max(), most, 0, most}, // stops instead of wrapping
    {most, 1, 1'024'000, 1, most},
    {1, 1, 0, most, most},
    {1, 1, 1'024'000, most, most},
  };
  for (const auto& each : cases)
    CAF_CHECK_EQUAL(cost_pico(each.ms, each.mb, each.per_gb_second, each.per_request), each.cost);
}
