#include "http/router.hpp"

#include "config/limits.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <array>

namespace troupe::http {

namespace {

namespace urls = boost::urls;
using boost::beast::http::verb;

struct row {
  verb method;
  std::string_view path; ///< segments with a slash before each; `*` is the variable one
  endpoint where;
};

/// The map of all paths. The first is the one that has to be found fast.
constexpr row rows[] = {
  {verb::post, "/run/*", endpoint::run_function},
  {verb::get, "/run/*", endpoint::run_function},
  {verb::post, "/runLambda/*", endpoint::run_function},
  {verb::get, "/runLambda/*", endpoint::run_function},
  {verb::post, "/2015-03-31/functions/*/invocations", endpoint::invoke_function},
  {verb::get, "/2015-03-31/functions", endpoint::list_functions},
  {verb::get, "/2015-03-31/functions/", endpoint::list_functions},
  {verb::post, "/2015-03-31/functions", endpoint::create_function},
  {verb::post, "/2015-03-31/functions/", endpoint::create_function},
  {verb::get, "/2015-03-31/functions/*", endpoint::get_function},
  {verb::delete_, "/2015-03-31/functions/*", endpoint::delete_function},
  {verb::get, "/2015-03-31/functions/*/configuration", endpoint::get_configuration},
  {verb::put, "/2015-03-31/functions/*/configuration", endpoint::put_configuration},
  {verb::put, "/2015-03-31/functions/*/code", endpoint::put_code},
  {verb::put, "/2017-10-31/functions/*/concurrency", endpoint::put_concurrency},
  {verb::get, "/2017-10-31/functions/*/concurrency", endpoint::get_concurrency},
  {verb::delete_, "/2017-10-31/functions/*/concurrency", endpoint::delete_concurrency},
  {verb::get, "/2019-09-30/functions/*/concurrency", endpoint::get_concurrency},
  {verb::get, "/healthz", endpoint::health},
  {verb::get, "/readyz", endpoint::readiness},
  {verb::get, "/metrics", endpoint::metrics},
  {verb::get, "/v1/invocations", endpoint::list_invocations},
  {verb::get, "/v1/usage", endpoint::list_usage},
  {verb::get, "/v1/usage/verify", endpoint::verify_usage},
  {verb::get, "/v1/cluster", endpoint::list_members},
  {verb::post, "/v1/cluster/*/drain", endpoint::drain_member},
  {verb::get, "/v1/bundles/*", endpoint::get_bundle},
  {verb::get, "/", endpoint::index},
};

/// AWS adds operations under the date of their day.
constexpr std::string_view lambda_prefixes[] = {"/2015-03-31", "/2017-10-31", "/2019-09-30"};

/// A path's segments, still encoded.
struct segments {
  std::array<std::string_view, 4> all;
  size_t count = 0;
};

std::string_view view_of(boost::core::string_view text) noexcept {
  return {text.data(), text.size()};
}

/// False when there are more segments than any path has.
bool split(std::string_view path, segments& out) {
  while (!path.empty()) {
    if (out.count == out.all.size())
      return false;
    const auto end = std::min(path.find('/', 1), path.size());
    out.all[out.count++] = path.substr(1, end - 1);
    path.remove_prefix(end);
  }
  return true;
}

std::string decode(std::string_view encoded) {
  const auto checked = urls::make_pct_string_view({encoded.data(), encoded.size()});
  return checked ? checked->decode() : std::string{encoded}; // The whole target has been checked before.
}

bool equal(std::string_view encoded, std::string_view plain) {
  if (encoded.size() <= plain.size())
    return encoded == plain;
  return encoded.find('%') != std::string_view::npos && decode(encoded) == plain;
}

/// Whether the path has the row's form; `variable` becomes the place of its variable segment.
bool matches(std::string_view form, const segments& path, size_t& variable) {
  size_t at = 0;
  for (; !form.empty(); ++at) {
    if (at == path.count)
      return false;
    const auto end = std::min(form.find('/', 1), form.size());
    const auto want = form.substr(1, end - 1);
    if (want == "*") {
      if (path.all[at].empty())
        return false;
      variable = at;
    } else if (!equal(path.all[at], want)) {
      return false;
    }
    form.remove_prefix(end);
  }
  return at == path.count;
}

void add_method(std::string& list, verb method) {
  const auto name = boost::beast::http::to_string(method);
  if (!list.empty())
    list += ", ";
  list.append(name.data(), name.size());
  if (method == verb::get)
    list += ", HEAD";
}

void find_row(verb method, const segments& path, route& found) {
  size_t variable = path.count;
  bool exists = false;
  for (const row& candidate : rows) {
    if (!matches(candidate.path, path, variable))
      continue;
    exists = true;
    if (candidate.method == method || (candidate.method == verb::get && method == verb::head)) {
      found.problem = errc::none;
      found.where = candidate.where;
      if (variable < path.count)
        found.name = decode(path.all[variable]);
      return;
    }
    add_method(found.allow, candidate.method);
  }
  if (exists) {
    found.problem = errc::method_not_allowed;
    found.allow += ", OPTIONS";
  }
}

} // namespace

route find_route(verb method, std::string_view target) {
  route found;
  found.problem = errc::invalid_argument;
  if (target == "*" && method == verb::options)
    found.problem = errc::none;
  if (found.problem == errc::none) {
    found.where = endpoint::preflight;
    return found;
  }
  const auto parsed = target.starts_with('/') ? urls::parse_origin_form({target.data(), target.size()})
                                              : urls::parse_absolute_uri({target.data(), target.size()});
  if (!parsed)
    return found;
  found.problem = errc::path_not_found;
  const auto path = view_of(parsed->encoded_path());
  for (const auto prefix : lambda_prefixes)
    if (path.starts_with(prefix))
      found.speaks = dialect::lambda;
  if (parsed->has_query())
    found.query = view_of(parsed->encoded_query());
  segments parts;
  if (method == verb::options) {
    found.problem = errc::none;
    found.where = endpoint::preflight;
  } else if (split(path.empty() ? "/" : path, parts)) {
    find_row(method, parts, found);
  }
  return found;
}

size_t body_bytes_max(endpoint where) noexcept {
  switch (where) {
    case endpoint::run_function:
    case endpoint::invoke_function: return limits::payload_bytes_max;
    case endpoint::create_function:
    case endpoint::put_code: return limits::deploy_body_bytes_max;
    case endpoint::preflight:
    case endpoint::index:
    case endpoint::list_functions:
    case endpoint::get_function:
    case endpoint::delete_function:
    case endpoint::get_configuration:
    case endpoint::put_configuration:
    case endpoint::put_concurrency:
    case endpoint::get_concurrency:
    case endpoint::delete_concurrency:
    case endpoint::get_bundle:
    case endpoint::health:
    case endpoint::readiness:
    case endpoint::metrics:
    case endpoint::list_invocations:
    case endpoint::list_usage:
    case endpoint::verify_usage:
    case endpoint::list_members:
    case endpoint::drain_member: return limits::small_body_bytes_max;
  }
  return limits::small_body_bytes_max;
}

} // namespace troupe::http
