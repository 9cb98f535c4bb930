#include "http/json_text.hpp"

#include <cstddef>
#include <cstdint>

namespace troupe::http {

namespace {

/// How many bytes the UTF-8 sequence at the start of `text` has; 0 when it is none (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF).
size_t sequence_bytes(std::string_view text) noexcept {
  const auto at = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80)
    return 1;
  const size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < count)
    return 0;
  for (size_t i = 1; i < count; ++i)
    if ((at(i) & 0xc0) != 0x80)
      return 0;
  const uint8_t second = at(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90)
      || (first == 0xf4 && second > 0x8f))
    return 0;
  return count;
}

void append_escaped(std::string& out, char c) {
  constexpr char hex[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; break;
    case '\\': out += "\\\\"; break;
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default:
      if (static_cast<uint8_t>(c) < 0x20) {
        out += "\\u00";
        out += hex[c >> 4];
        out += hex[c & 15];
      } else {
        out += c;
      }
  }
}

} // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t bytes = sequence_bytes(text);
    if (bytes == 0)
      out += "\xef\xbf\xbd";
    else if (bytes == 1)
      append_escaped(out, text.front());
    else
      out += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out += '"';
}

} // namespace troupe::http
