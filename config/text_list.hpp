#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Lists as text, separated by commas.
namespace troupe::config {

/// Without the blanks around it.
std::string_view trimmed(std::string_view text);

/// The items without the blanks around them; empty text is an empty list. nullopt when one of them is not accepted, or
/// there are more than `items_max`.
std::optional<std::vector<std::string>> parse_list(std::string_view text, size_t items_max,
                                                   bool (*accepts)(std::string_view));

} // namespace troupe::config
