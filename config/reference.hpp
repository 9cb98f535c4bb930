#pragma once

#include <string>

namespace troupe::config {

/// The reference page of all options in Markdown, made from their declarations.
std::string reference_page();

/// What a tenant's table may set, for the end of a command's help.
std::string tenant_help();

} // namespace troupe::config
