#include "config/units.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace troupe::config {

namespace {

struct unit {
  std::string_view name;
  uint64_t factor;
};

// From the largest to the smallest: printing takes the first that is exact.
constexpr std::array<unit, 5> time_units{
  {{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<unit, 5> size_units{
  {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}}};

constexpr uint64_t pico = 1'000'000'000'000;
constexpr size_t money_decimals = 12;

std::optional<uint64_t> parse_with_unit(std::string_view text, std::span<const unit> units) {
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_number(text.substr(0, end));
  if (!count)
    return std::nullopt;
  const auto name = text.substr(end);
  if (name.empty() && *count == 0)
    return 0;
  const auto found = std::find_if(units.begin(), units.end(), [name](const unit& u) { return u.name == name; });
  uint64_t result = 0;
  if (found == units.end() || __builtin_mul_overflow(*count, found->factor, &result))
    return std::nullopt;
  return result;
}

std::string format_with_unit(uint64_t value, std::span<const unit> units) {
  const auto exact = [value](const unit& u) { return value != 0 && value % u.factor == 0; };
  const auto found = std::find_if(units.begin(), units.end(), exact);
  const auto& chosen = found == units.end() ? units.back() : *found;
  return fmt::format("{}{}", value / chosen.factor, chosen.name);
}

} // namespace

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto ms = parse_with_unit(text, time_units);
  if (!ms || *ms > static_cast<uint64_t>(std::chrono::milliseconds::max().count()))
    return std::nullopt;
  return std::chrono::milliseconds{static_cast<int64_t>(*ms)};
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format_with_unit(static_cast<uint64_t>(duration.count()), std::span{time_units}.subspan(1));
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  return parse_with_unit(text, size_units);
}

std::string format_bytes(uint64_t bytes) {
  return format_with_unit(bytes, size_units);
}

std::optional<uint64_t> parse_money(std::string_view text) {
  const size_t dot = text.find('.');
  const auto whole = parse_number(text.substr(0, dot));
  uint64_t result = 0;
  if (!whole || __builtin_mul_overflow(*whole, pico, &result))
    return std::nullopt;
  if (dot == std::string_view::npos)
    return result;
  std::string decimals{text.substr(dot + 1)};
  if (decimals.empty() || decimals.size() > money_decimals)
    return std::nullopt;
  decimals.resize(money_decimals, '0');
  const auto fraction = parse_number(decimals);
  if (!fraction || __builtin_add_overflow(result, *fraction, &result))
    return std::nullopt;
  return result;
}

std::string format_money_aligned(uint64_t value) {
  return fmt::format("{}.{:012}", value / pico, value % pico);
}

std::string format_money(uint64_t value) {
  auto text = format_money_aligned(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.'))
    text.pop_back();
  return text;
}

} // namespace troupe::config
