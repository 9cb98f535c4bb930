#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Lists of packages and of directories as text, separated by commas.
namespace troupe::config {

/// Names of Python modules such as numpy or PIL.Image, at most limits::packages_max; empty text is an empty list.
/// nullopt when one of them is no such name.
std::optional<std::vector<std::string>> parse_module_names(std::string_view text);

/// Absolute paths, at most limits::layers_max; empty text is an empty list. nullopt when one of them is no such path.
std::optional<std::vector<std::string>> parse_directories(std::string_view text);

/// Whether it is a name that a Python module can have, without a dot. Names with letters beyond ASCII are not known.
bool is_module_name(std::string_view text) noexcept;

} // namespace troupe::config
