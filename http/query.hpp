#pragma once

#include "config/ids.hpp"

#include <caf/expected.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

/// The parameters of a query string, decoded (`+` is a space), for routes that say what is wrong with a value.
/// Each error is invalid_argument and names the parameter.
class query {
public:
  /// Fails when the escapes are malformed or a name comes twice.
  static caf::expected<query> parse(std::string_view encoded);

  /// Null when there is none of that name.
  const std::string* find(std::string_view name) const noexcept;

  /// The text, or nothing.
  std::string text(std::string_view name) const;

  /// A decimal number within [min, max], or `fallback` when there is none of that name.
  caf::expected<int64_t> number(std::string_view name, int64_t fallback, int64_t min, int64_t max) const;

  /// An id, or the nil id when there is none of that name.
  caf::expected<uuid> id(std::string_view name) const;

  /// An error when there are names other than these.
  caf::error refuse_others(std::initializer_list<std::string_view> known) const;

private:
  std::vector<std::pair<std::string, std::string>> all_;
};

} // namespace troupe::http
