#include "config/packages.hpp"

#include "config/limits.hpp"
#include "config/text_list.hpp"

#include <algorithm>

namespace troupe::config {

namespace {

bool is_dotted_name(std::string_view text) {
  for (size_t at = 0; at <= text.size();) {
    const size_t dot = std::min(text.find('.', at), text.size());
    if (!is_module_name(text.substr(at, dot - at)))
      return false;
    at = dot + 1;
  }
  return true;
}

bool is_absolute_path(std::string_view text) {
  return text.starts_with('/') && text.size() <= limits::path_bytes_max && text.find('\0') == std::string_view::npos;
}

} // namespace

bool is_module_name(std::string_view text) noexcept {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_part = [is_letter](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= limits::module_name_bytes_max && is_letter(text.front())
      && std::ranges::all_of(text, is_part);
}

std::optional<std::vector<std::string>> parse_module_names(std::string_view text) {
  return parse_list(text, limits::packages_max, is_dotted_name);
}

std::optional<std::vector<std::string>> parse_directories(std::string_view text) {
  return parse_list(text, limits::layers_max, is_absolute_path);
}

} // namespace troupe::config
