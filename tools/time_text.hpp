#pragma once

#include <caf/expected.hpp>

#include <chrono>
#include <string_view>

namespace troupe::tools {

using unix_ms = std::chrono::sys_time<std::chrono::milliseconds>;

/// A moment as people give it: RFC 3339 ("2026-11-23T10:00:00Z", "2026-11-23T11:00:00.5+01:00"), a day ("2026-11-23",
/// its beginning in UTC), or how long before `now` ("30min", "1h", "2d"). Fails with invalid_argument. What is finer
/// than a millisecond is cut off; a leap second is the next minute's first.
caf::expected<unix_ms> parse_time(std::string_view text, unix_ms now);

} // namespace troupe::tools
