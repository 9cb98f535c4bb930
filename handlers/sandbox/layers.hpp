#pragma once

#include <caf/expected.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

/// Layers: directories of Python packages on the machine that every sandbox has, read-only, and can import from.
namespace troupe::handlers {

/// The names that can be imported from these directories, as they are now: packages and modules at their tops. Fails
/// with invalid_argument for one that is no directory, that not all users may read, or that holds more than
/// limits::layer_packages_max.
caf::expected<std::set<std::string>> find_layer_packages(const std::vector<std::string>& directories);

} // namespace troupe::handlers
