#include "config/names.hpp"

#include "config/limits.hpp"

#include <algorithm>

namespace troupe {

bool is_label(std::string_view text) noexcept {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= limits::label_bytes_max && text.front() != '-' && text.back() != '-'
      && std::all_of(text.begin(), text.end(), allowed);
}

} // namespace troupe
