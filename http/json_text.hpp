#pragma once

#include <string>
#include <string_view>

namespace troupe::http {

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that the document
/// stays one whatever a client has sent.
void append_json(std::string& out, std::string_view text);

} // namespace troupe::http
