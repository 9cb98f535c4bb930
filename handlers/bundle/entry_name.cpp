#include "handlers/bundle/entry_name.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <climits>
#include <cstdint>

namespace troupe::handlers {

namespace {

constexpr size_t printable_bytes_max = 100;

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The number of bytes that a first byte announces, 0 when it cannot be one.
size_t sequence_bytes(uint8_t first) noexcept {
  if (first < 0x80)
    return 1;
  if (first >= 0xc2 && first < 0xe0)
    return 2;
  if (first >= 0xe0 && first < 0xf0)
    return 3;
  if (first >= 0xf0 && first < 0xf5)
    return 4;
  return 0;
}

/// RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF.
bool is_utf8(std::string_view text) noexcept {
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<uint8_t>(text[at]);
    const size_t count = sequence_bytes(first);
    if (count == 0 || text.size() - at < count)
      return false;
    for (size_t i = 1; i < count; ++i)
      if ((static_cast<uint8_t>(text[at + i]) & 0xc0) != 0x80)
        return false;
    const auto second = count > 1 ? static_cast<uint8_t>(text[at + 1]) : uint8_t{0};
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90)
        || (first == 0xf4 && second > 0x8f))
      return false;
    at += count;
  }
  return true;
}

std::string_view fault_of(std::string_view name) {
  if (name.empty())
    return "an entry without a name";
  if (name.size() > limits::archive_path_bytes_max)
    return "a path that is too long";
  if (name.find('\0') != std::string_view::npos)
    return "a name with a zero byte";
  if (!is_utf8(name))
    return "a name that is not UTF-8";
  if (name.find('\\') != std::string_view::npos)
    return "a name with a backslash";
  if (name.front() == '/' || (name.size() > 2 && is_letter(name[0]) && name[1] == ':' && name[2] == '/'))
    return "an absolute path";
  return {};
}

caf::error refuse(std::string_view fault, std::string_view name) {
  return make_error(errc::invalid_argument, "the archive has " + std::string{fault} + ": " + printable(name));
}

} // namespace

caf::expected<std::vector<std::string_view>> split_name(std::string_view name) {
  if (const auto fault = fault_of(name); !fault.empty())
    return refuse(fault, name);
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < name.size();) {
    const auto part = name.substr(at, name.find('/', at) - at);
    at += part.size() + 1;
    if (part == "..")
      return refuse("a path with ..", name);
    if (part.size() > NAME_MAX)
      return refuse("a name that is too long", name);
    if (!part.empty() && part != ".")
      parts.push_back(part);
  }
  return parts;
}

std::string printable(std::string_view name) {
  std::string text{name.substr(0, printable_bytes_max)};
  for (char& c : text)
    if (c < ' ' || c > '~')
      c = '?';
  if (name.size() > printable_bytes_max)
    text += "...";
  return text;
}

} // namespace troupe::handlers
