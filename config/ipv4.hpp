#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// IPv4 addresses and ranges as people write them. Addresses are numbers in the order of the host.
namespace troupe::config {

/// All addresses that share their first `prefix` bits.
struct ipv4_range {
  uint32_t first = 0;
  unsigned prefix = 32; ///< 0 to 32

  uint64_t size() const noexcept { return uint64_t{1} << (32 - prefix); }
  uint32_t last() const noexcept { return static_cast<uint32_t>(first + (size() - 1)); }
  bool overlaps(const ipv4_range& other) const noexcept { return first <= other.last() && other.first <= last(); }

  bool operator==(const ipv4_range&) const = default;
};

/// "10.221.0.0/16"; an address alone is a range of one. Bits set behind the prefix are a mistake: nullopt.
std::optional<ipv4_range> parse_ipv4_range(std::string_view text);

/// Ranges separated by commas, with spaces around them or not; empty text is an empty list.
std::optional<std::vector<ipv4_range>> parse_ipv4_ranges(std::string_view text);

std::string format_ipv4(uint32_t address);
std::string format_ipv4_range(const ipv4_range& range);

} // namespace troupe::config
