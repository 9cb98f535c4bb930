#pragma once

#include <string>

namespace troupe::config {

/// The reference page of all options in Markdown, made from their declarations.
std::string reference_page();

} // namespace troupe::config
