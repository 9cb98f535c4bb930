#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Files of the kernel that hold one short text: limits, counters, id maps.
namespace troupe::handlers {

/// Replaces what an existing file says, in one write; 0, or errno.
int write_small_file(const std::string& path, std::string_view text) noexcept;

/// The first 64 KiB of what the file says; nullopt with errno set when it cannot be read.
std::optional<std::string> read_small_file(const std::string& path);

/// The number with which a text begins; 0 where there is none.
uint64_t number_in(std::string_view text) noexcept;

/// The same of a file; 0 also when it cannot be read.
uint64_t read_small_number(const std::string& path);

} // namespace troupe::handlers
