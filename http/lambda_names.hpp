#pragma once

#include <caf/expected.hpp>

#include <string>
#include <string_view>

/// How the Lambda API names functions: by name, name:qualifier, partial ARN or ARN.
namespace troupe::http {

/// The one version that a function has until versions are published.
inline constexpr std::string_view latest = "$LATEST";

/// A function as a request names it.
struct function_ref {
  std::string name;
  std::string qualifier; ///< empty when none was given
};

/// Whether `name` can be a function's: 1 to 64 of [A-Za-z0-9_-].
bool is_function_name(std::string_view name) noexcept;

/// Reads a decoded path segment, with the Qualifier of the query string (may be empty). Fails with invalid_argument
/// when it is malformed, and with function_not_found for other accounts, regions or versions than this node has.
caf::expected<function_ref> parse_function_ref(std::string_view text, std::string_view qualifier);

/// The ARN of a function of this node.
std::string function_arn(std::string_view name);

} // namespace troupe::http
