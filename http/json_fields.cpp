#include "http/json_fields.hpp"

#include "config/errc.hpp"

#include <boost/json/parser.hpp>

namespace troupe::http {

namespace json = boost::json;

caf::expected<json::object> parse_object(std::string_view text) {
  json::parser parser;
  json::error_code problem;
  const size_t position = parser.write_some(text.data(), text.size(), problem);
  if (!problem && position < text.size())
    problem = json::error::extra_data;
  if (problem)
    return make_error(errc::invalid_payload, "Could not parse request body into json: " + problem.message()
                                               + " at byte " + std::to_string(position));
  auto value = parser.release();
  if (auto* object = value.if_object())
    return std::move(*object);
  return make_error(errc::invalid_payload, "Could not parse request body into json: not an object at byte 0");
}

const json::value* json_fields::find(std::string_view name) const noexcept {
  const auto* value = object_.if_contains({name.data(), name.size()});
  return value && !value->is_null() ? value : nullptr;
}

caf::optional<std::string> json_fields::text(std::string_view name, size_t bytes_max) {
  const auto* value = find(name);
  if (!value)
    return caf::none;
  const auto* text = value->if_string();
  if (!text || text->size() > bytes_max) {
    refuse(name, "must be a string of at most " + std::to_string(bytes_max) + " bytes");
    return caf::none;
  }
  return std::string{text->data(), text->size()};
}

caf::optional<uint32_t> json_fields::number(std::string_view name, uint32_t min, uint32_t max) {
  const auto* value = find(name);
  if (!value)
    return caf::none;
  json::error_code problem;
  const auto number = value->to_number<int64_t>(problem);
  if (problem || number < min || number > max) {
    refuse(name, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return caf::none;
  }
  return static_cast<uint32_t>(number);
}

bool json_fields::flag(std::string_view name) {
  const auto* value = find(name);
  if (!value)
    return false;
  if (const auto* flag = value->if_bool())
    return *flag;
  refuse(name, "must be true or false");
  return false;
}

const json::object* json_fields::object(std::string_view name) {
  const auto* value = find(name);
  if (!value)
    return nullptr;
  const auto* object = value->if_object();
  if (!object)
    refuse(name, "must be an object");
  return object;
}

void json_fields::refuse(std::string_view name, std::string_view what) {
  refuse(make_error(errc::invalid_argument, std::string{name}.append(" ").append(what)));
}

void json_fields::refuse(caf::error problem) {
  if (!problem_)
    problem_ = std::move(problem);
}

} // namespace troupe::http
