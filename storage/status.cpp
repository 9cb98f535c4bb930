#include "storage/status.hpp"

#include "config/errc.hpp"

#include <algorithm>
#include <cctype>

namespace troupe::storage {

namespace {

constexpr size_t text_bytes_max = 400;

bool ends_path(char c) noexcept {
  return std::isspace(static_cast<unsigned char>(c)) || c == ':' || c == ',' || c == ';' || c == '"' || c == '\'';
}

bool is_damage(const rocksdb::Status& status, phase when) noexcept {
  if (status.IsCorruption())
    return true;
  // While opening, these mean that files do not belong together or are not there.
  return when == phase::opening
      && (status.IsPathNotFound() || status.IsNotFound() || status.IsInvalidArgument() || status.IsNotSupported());
}

} // namespace

std::string without_directories(std::string_view text) {
  std::string line;
  for (size_t at = 0; at < text.size() && line.size() < text_bytes_max;) {
    const auto end = static_cast<size_t>(std::find_if(text.begin() + at, text.end(), ends_path) - text.begin());
    const auto word = text.substr(at, end - at);
    const size_t slash = word.rfind('/');
    line += slash == std::string_view::npos ? word : word.substr(slash + 1);
    if (end < text.size())
      line += std::isspace(static_cast<unsigned char>(text[end])) ? ' ' : text[end];
    at = end + 1;
  }
  return line;
}

caf::error to_error(const rocksdb::Status& status, std::string_view step, phase when) {
  if (status.ok())
    return caf::none;
  const auto detail = without_directories(status.ToString());
  if (is_damage(status, when))
    return make_error(errc::storage_damaged, "the database is damaged: " + std::string{step} + ": " + detail);
  return make_error(errc::io_error, std::string{step} + ": " + detail);
}

} // namespace troupe::storage
