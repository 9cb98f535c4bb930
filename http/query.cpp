#include "http/query.hpp"

#include "config/errc.hpp"

#include <boost/url/params_encoded_view.hpp>
#include <boost/url/parse_query.hpp>

#include <algorithm>
#include <charconv>

namespace troupe::http {

namespace {

namespace urls = boost::urls;

caf::error fault(std::string_view name, const std::string& what) {
  return make_error(errc::invalid_argument, "query parameter '" + std::string{name} + "' " + what);
}

} // namespace

caf::expected<query> query::parse(std::string_view encoded) {
  query result;
  if (encoded.empty())
    return result;
  const auto parsed = urls::parse_query({encoded.data(), encoded.size()});
  if (!parsed)
    return make_error(errc::invalid_argument, "the query string is malformed");
  urls::encoding_opts options;
  options.space_as_plus = true;
  for (const auto& param : *parsed) {
    auto name = param.key.decode(options);
    if (result.find(name))
      return fault(name, "comes twice");
    result.all_.emplace_back(std::move(name), param.value.decode(options));
  }
  return result;
}

const std::string* query::find(std::string_view name) const noexcept {
  const auto found = std::find_if(all_.begin(), all_.end(), [name](const auto& pair) { return pair.first == name; });
  return found == all_.end() ? nullptr : &found->second;
}

std::string query::text(std::string_view name) const {
  const auto* value = find(name);
  return value ? *value : std::string{};
}

caf::expected<int64_t> query::number(std::string_view name, int64_t fallback, int64_t min, int64_t max) const {
  const auto* value = find(name);
  if (!value)
    return fallback;
  int64_t result = 0;
  const auto end = value->data() + value->size();
  const auto [rest, problem] = std::from_chars(value->data(), end, result);
  if (problem != std::errc{} || rest != end || result < min || result > max)
    return fault(name, "must be a number from " + std::to_string(min) + " to " + std::to_string(max));
  return result;
}

caf::expected<uuid> query::id(std::string_view name) const {
  const auto* value = find(name);
  if (!value)
    return uuid{};
  if (const auto id = uuid::parse(*value))
    return *id;
  return fault(name, "must be the id of an invocation");
}

caf::error query::refuse_others(std::initializer_list<std::string_view> known) const {
  for (const auto& [name, value] : all_)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fault(name, "is not known here");
  return caf::none;
}

} // namespace troupe::http
