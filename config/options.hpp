#pragma once

#include "config/option.hpp"

#include <span>
#include <string_view>

namespace troupe::config {

/// Every option of the program, by section. The one declaration from which the configuration file, the environment,
/// the command line, `config show`, the help and the reference page are made.
std::span<const option> options();

/// The option of that name (section.key), or null.
const option* find_option(std::string_view name);

/// The option whose name is most like `name`, for "did you mean"; null when none is near.
const option* nearest_option(std::string_view name);

} // namespace troupe::config
