#pragma once

#include <caf/expected.hpp>

#include <string>
#include <string_view>
#include <vector>

/// The names of entries in an archive.
namespace troupe::handlers {

/// The parts of a path, without `.` and empty ones. Fails with invalid_argument and the reason for what must not be
/// unpacked: absolute paths, `..`, backslashes, zero bytes, what is not UTF-8, names and paths that are too long.
caf::expected<std::vector<std::string_view>> split_name(std::string_view name);

/// The name for an error's text: bytes that are not plain ASCII as `?`, and at most 100 of them.
std::string printable(std::string_view name);

} // namespace troupe::handlers
