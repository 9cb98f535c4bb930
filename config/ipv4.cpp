#include "config/ipv4.hpp"

#include "config/limits.hpp"
#include "config/units.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace troupe::config {

namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' '))
    text.remove_prefix(1);
  while (text.ends_with(' '))
    text.remove_suffix(1);
  return text;
}

std::optional<uint32_t> parse_address(std::string_view text) {
  in_addr parsed{};
  const std::string terminated{text};
  if (text.find('\0') != std::string_view::npos || inet_pton(AF_INET, terminated.c_str(), &parsed) != 1)
    return std::nullopt;
  return ntohl(parsed.s_addr);
}

} // namespace

std::optional<ipv4_range> parse_ipv4_range(std::string_view text) {
  constexpr size_t bytes_max = 18; // 255.255.255.255/32
  if (text.size() > bytes_max)
    return std::nullopt;
  const auto slash = text.find('/');
  const auto first = parse_address(text.substr(0, slash));
  const auto prefix = slash == std::string_view::npos ? uint64_t{32} : parse_number(text.substr(slash + 1));
  if (!first || !prefix || *prefix > 32)
    return std::nullopt;
  const ipv4_range range{*first, static_cast<unsigned>(*prefix)};
  if ((range.first & (range.size() - 1)) != 0)
    return std::nullopt;
  return range;
}

std::optional<std::vector<ipv4_range>> parse_ipv4_ranges(std::string_view text) {
  std::vector<ipv4_range> result;
  if (text.size() > limits::address_list_bytes_max)
    return std::nullopt;
  if (trimmed(text).empty())
    return result;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const auto range = parse_ipv4_range(trimmed(text.substr(at, comma - at)));
    if (!range)
      return std::nullopt;
    result.push_back(*range);
    at = comma + 1;
  }
  return result;
}

std::string format_ipv4(uint32_t address) {
  return std::to_string(address >> 24) + '.' + std::to_string(address >> 16 & 0xff) + '.'
       + std::to_string(address >> 8 & 0xff) + '.' + std::to_string(address & 0xff);
}

std::string format_ipv4_range(const ipv4_range& range) {
  return format_ipv4(range.first) + '/' + std::to_string(range.prefix);
}

} // namespace troupe::config
