#pragma once

#include <chrono>
#include <cstdint>
#include <string>

/// Points in time as the node's clients read them. All are UTC.
namespace troupe::http {

/// RFC 3339 with milliseconds: 2026-01-31T12:00:00.123Z.
std::string rfc3339(std::chrono::milliseconds since_epoch);

/// RFC 3339 without fractions, of the beginning of an hour.
std::string rfc3339_hour(int64_t hours_since_epoch);

/// As AWS writes LastModified: 2026-01-31T12:00:00.123+0000.
std::string aws_time(std::chrono::milliseconds since_epoch);

/// As HTTP's Date field has it: Sat, 31 Jan 2026 12:00:00 GMT.
std::string http_date(std::chrono::system_clock::time_point time);

} // namespace troupe::http
