#include "http/time_text.hpp"

#include <fmt/format.h>

#include <ctime>

namespace troupe::http {

namespace {

/// Calendar fields of seconds since the epoch; gmtime_r fails only beyond the year 2^31, where zeros will do.
std::tm utc(int64_t seconds) noexcept {
  std::tm fields{};
  const std::time_t time = seconds;
  gmtime_r(&time, &fields);
  return fields;
}

std::string iso(const std::tm& t) {
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                     t.tm_min, t.tm_sec);
}

std::string iso(std::chrono::milliseconds since_epoch) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return fmt::format("{}.{:03}", iso(utc(seconds.count())), (since_epoch - seconds).count());
}

} // namespace

std::string rfc3339(std::chrono::milliseconds since_epoch) {
  return iso(since_epoch) + "Z";
}

std::string rfc3339_hour(int64_t hours_since_epoch) {
  return iso(utc(hours_since_epoch * 3600)) + "Z";
}

std::string aws_time(std::chrono::milliseconds since_epoch) {
  return iso(since_epoch) + "+0000";
}

std::string http_date(std::chrono::system_clock::time_point time) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto t = utc(std::chrono::system_clock::to_time_t(time));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[t.tm_wday], t.tm_mday, months[t.tm_mon],
                     t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

} // namespace troupe::http
