#pragma once

#include <cerrno>
#include <system_error>

namespace troupe::handlers {

/// Passes on what a system call returned, or throws std::system_error with errno and the step's name when that was -1.
/// For programs that build a cage and cannot go on without any of its parts.
inline long check(long result, const char* step) {
  if (result < 0)
    throw std::system_error{errno, std::generic_category(), step};
  return result;
}

} // namespace troupe::handlers
