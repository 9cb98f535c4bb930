#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace troupe::config {

/// Makes spdlog's default logger write to stderr as `of` says: lines for people, or one JSON object a line. Either
/// way a message is exactly one line, whatever it contains. Call once, before there are threads.
void set_up_logging(const log_settings& of);

/// `text` as the inside of a JSON string: control characters and quotes escaped, bytes that are not UTF-8 replaced by
/// U+FFFD.
std::string json_escaped(std::string_view text);

} // namespace troupe::config
