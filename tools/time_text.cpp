#include "tools/time_text.hpp"

#include "config/errc.hpp"
#include "config/units.hpp"

#include <fmt/core.h>

#include <optional>

namespace troupe::tools {

namespace {

using namespace std::chrono;

/// Reads a text from left to right; each step says whether it fitted.
class scanner {
public:
  explicit scanner(std::string_view text) : rest_{text} {}

  /// Exactly `digits` decimal digits.
  bool number(size_t digits, int& value) {
    if (rest_.size() < digits || rest_.substr(0, digits).find_first_not_of("0123456789") != std::string_view::npos)
      return false;
    value = 0;
    for (const char c : rest_.substr(0, digits))
      value = value * 10 + (c - '0');
    rest_.remove_prefix(digits);
    return true;
  }

  /// One of the characters in `among`, or '\0'.
  char one_of(std::string_view among) {
    if (rest_.empty() || among.find(rest_.front()) == std::string_view::npos)
      return '\0';
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  bool is_at_end() const noexcept { return rest_.empty(); }

private:
  std::string_view rest_;
};

std::optional<sys_days> scan_day(scanner& in) {
  int y = 0, m = 0, d = 0;
  if (!in.number(4, y) || !in.one_of("-") || !in.number(2, m) || !in.one_of("-") || !in.number(2, d))
    return std::nullopt;
  const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
  if (!date.ok())
    return std::nullopt;
  return sys_days{date};
}

/// ".5" is 500 ms; no dot at all is none.
std::optional<milliseconds> scan_fraction(scanner& in) {
  if (!in.one_of("."))
    return 0ms;
  constexpr auto decimal = "0123456789";
  int64_t ms = 0;
  size_t digits = 0;
  for (char c = in.one_of(decimal); c != 0; c = in.one_of(decimal), ++digits)
    if (digits < 3)
      ms = ms * 10 + (c - '0');
  if (digits == 0)
    return std::nullopt;
  for (; digits < 3; ++digits)
    ms *= 10;
  return milliseconds{ms};
}

std::optional<minutes> scan_offset(scanner& in) {
  if (in.one_of("Zz"))
    return 0min;
  const char sign = in.one_of("+-");
  int h = 0, m = 0;
  if (!sign || !in.number(2, h) || !in.one_of(":") || !in.number(2, m) || h > 23 || m > 59)
    return std::nullopt;
  const auto offset = hours{h} + minutes{m};
  return sign == '-' ? -offset : offset;
}

std::optional<unix_ms> scan_moment(std::string_view text) {
  scanner in{text};
  const auto date = scan_day(in);
  if (!date)
    return std::nullopt;
  if (in.is_at_end())
    return *date;
  int h = 0, m = 0, s = 0;
  if (!in.one_of("Tt ") || !in.number(2, h) || !in.one_of(":") || !in.number(2, m) || !in.one_of(":")
      || !in.number(2, s))
    return std::nullopt;
  const auto fraction = scan_fraction(in);
  const auto offset = scan_offset(in);
  if (!fraction || !offset || !in.is_at_end() || h > 23 || m > 59 || s > 60)
    return std::nullopt;
  return *date + hours{h} + minutes{m} + seconds{s} + *fraction - *offset;
}

} // namespace

caf::expected<unix_ms> parse_time(std::string_view text, unix_ms now) {
  if (const auto moment = scan_moment(text))
    return *moment;
  const auto ago = config::parse_duration(text);
  if (ago && *ago <= now.time_since_epoch())
    return now - *ago;
  return make_error(errc::invalid_argument,
                    fmt::format("\"{}\" is not a time such as 2026-11-23, 2026-11-23T10:00:00Z, 1h or 2d", text));
}

} // namespace troupe::tools
