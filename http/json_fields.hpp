#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <caf/error.hpp>
#include <caf/expected.hpp>
#include <caf/optional.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::http {

/// Parses a document of AWS's API: a JSON object. Fails with invalid_payload and the position of what is wrong.
caf::expected<boost::json::object> parse_object(std::string_view text);

/// Reads the members of an object one after the other and keeps the first thing that is wrong with one of them, as
/// an invalid_argument that names it. null counts as absent.
class json_fields {
public:
  explicit json_fields(const boost::json::object& object) : object_{object} {}

  const boost::json::value* find(std::string_view name) const noexcept;

  caf::optional<std::string> text(std::string_view name, size_t bytes_max);
  caf::optional<uint32_t> number(std::string_view name, uint32_t min, uint32_t max);
  bool flag(std::string_view name); ///< absent is false
  const boost::json::object* object(std::string_view name);

  /// Keeps a fault in `name`, unless there is one already.
  void refuse(std::string_view name, std::string_view what);
  void refuse(caf::error problem);

  const caf::error& problem() const noexcept { return problem_; }

private:
  const boost::json::object& object_;
  caf::error problem_;
};

} // namespace troupe::http
