#include "config/text_list.hpp"

#include <algorithm>

namespace troupe::config {

std::string_view trimmed(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

std::optional<std::vector<std::string>> parse_list(std::string_view text, size_t items_max,
                                                   bool (*accepts)(std::string_view)) {
  std::vector<std::string> result;
  if (trimmed(text).empty())
    return result;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const auto item = trimmed(text.substr(at, comma - at));
    if (!accepts(item) || result.size() == items_max)
      return std::nullopt;
    result.emplace_back(item);
    at = comma + 1;
  }
  return result;
}

} // namespace troupe::config
