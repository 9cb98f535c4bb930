#pragma once

#include <string_view>

namespace troupe {

/// Who a function belongs to when nobody says.
inline constexpr std::string_view default_tenant = "default";

/// Whether `text` is a DNS label in lower case: safe in file names, keys, header fields and metrics alike. Names of
/// nodes and tenants are such.
bool is_label(std::string_view text) noexcept;

/// The same for people.
inline constexpr std::string_view label_rule = "1 to 63 of a-z, 0-9 and inner hyphens";

} // namespace troupe
