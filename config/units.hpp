#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// How people write durations, sizes and money, read and printed without floating point.
namespace troupe::config {

/// "100ms", "3s", "10min", "1h", "2d", or "0": a whole number and its unit. Anything else, and what does not fit, is
/// nullopt.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// In the largest unit up to hours that is exact: 600'000 ms is "10min", 1'500 ms is "1500ms".
std::string format_duration(std::chrono::milliseconds duration);

/// "512MiB", "4GiB", "100B", or "0": a whole number and B, KiB, MiB, GiB or TiB (powers of 1024), in bytes. Anything
/// else, and what does not fit, is nullopt.
std::optional<uint64_t> parse_bytes(std::string_view text);

/// In the largest unit that is exact: 536'870'912 is "512MiB".
std::string format_bytes(uint64_t bytes);

/// "0.0000166667" as pico (10^-12) units of the currency: 16'666'700. No sign, no exponent, at most twelve decimals;
/// anything else, and what does not fit, is nullopt.
std::optional<uint64_t> parse_money(std::string_view text);

/// The shortest exact decimal: 16'666'700 is "0.0000166667", 2'000'000'000'000 is "2".
std::string format_money(uint64_t pico);

/// With all twelve decimals, so that a column of them lines up: 200'000 is "0.000000200000".
std::string format_money_aligned(uint64_t pico);

/// A whole decimal number without a sign; anything else, and what does not fit, is nullopt.
std::optional<uint64_t> parse_number(std::string_view text);

} // namespace troupe::config
