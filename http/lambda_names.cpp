#include "http/lambda_names.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <algorithm>

namespace troupe::http {

namespace {

constexpr std::string_view arn_prefix = "arn:aws:lambda:local:000000000000:function:";
constexpr std::string_view account_prefix = "000000000000:function:";
constexpr std::string_view function_prefix = "function:";

bool is_word(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// Takes what stands before `name[:qualifier]` off; false when that belongs to somewhere else.
bool strip_prefix(std::string_view& text) noexcept {
  for (const auto prefix : {arn_prefix, account_prefix, function_prefix}) {
    if (text.starts_with(prefix)) {
      text.remove_prefix(prefix.size());
      return true;
    }
  }
  return text.find(":function:") == std::string_view::npos;
}

caf::error not_found(std::string_view text) {
  return make_error(errc::function_not_found, "Function not found: " + std::string{text});
}

} // namespace

bool is_function_name(std::string_view name) noexcept {
  return name.size() <= limits::function_name_bytes_max && is_word(name);
}

caf::expected<function_ref> parse_function_ref(std::string_view text, std::string_view qualifier) {
  auto rest = text;
  if (!strip_prefix(rest))
    return not_found(text);
  function_ref ref;
  const auto colon = std::min(rest.find(':'), rest.size());
  ref.name = rest.substr(0, colon);
  if (!is_function_name(ref.name))
    return make_error(errc::invalid_argument, "FunctionName must be 1 to 64 of [a-zA-Z0-9-_], a partial ARN or an ARN");
  if (colon < rest.size())
    ref.qualifier = rest.substr(colon + 1);
  if (colon < rest.size() && ref.qualifier != latest && !is_word(ref.qualifier))
    return make_error(errc::invalid_argument, "the qualifier in FunctionName must be a version or an alias");
  if (!qualifier.empty()) {
    if (!ref.qualifier.empty() && ref.qualifier != qualifier)
      return make_error(errc::invalid_argument, "FunctionName and Qualifier name two different versions");
    ref.qualifier = qualifier;
  }
  if (!ref.qualifier.empty() && ref.qualifier != latest)
    return not_found(function_arn(ref.name) + ":" + ref.qualifier);
  return ref;
}

std::string function_arn(std::string_view name) {
  return std::string{arn_prefix}.append(name);
}

} // namespace troupe::http
