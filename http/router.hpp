#pragma once

#include "config/errc.hpp"

#include <boost/beast/http/verb.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::http {

/// What a request may be for. routes.cpp says what each does.
enum class endpoint : uint8_t {
  preflight,          ///< OPTIONS of whatever: answered by the node for browsers
  index,              ///< GET /
  run_function,       ///< GET, POST /run/{name}, /runLambda/{name}
  list_functions,     ///< GET /2015-03-31/functions
  create_function,    ///< POST /2015-03-31/functions
  get_function,       ///< GET /2015-03-31/functions/{name}
  delete_function,    ///< DELETE /2015-03-31/functions/{name}
  get_configuration,  ///< GET .../{name}/configuration
  put_configuration,  ///< PUT .../{name}/configuration
  put_code,           ///< PUT .../{name}/code
  put_concurrency,    ///< PUT /2017-10-31/functions/{name}/concurrency
  get_concurrency,    ///< GET /2019-09-30/functions/{name}/concurrency, or as the others
  delete_concurrency, ///< DELETE /2017-10-31/functions/{name}/concurrency
  invoke_function,    ///< POST .../{name}/invocations
  get_bundle,         ///< GET /v1/bundles/{digest}
  health,             ///< GET /healthz
  readiness,          ///< GET /readyz
  metrics,            ///< GET /metrics
  list_invocations,   ///< GET /v1/invocations
  list_usage,         ///< GET /v1/usage
  verify_usage,       ///< GET /v1/usage/verify
  list_members,       ///< GET /v1/cluster
  drain_member,       ///< POST /v1/cluster/{node}/drain
};

/// Which of two dialects an error is told in.
enum class dialect : uint8_t {
  plain,  ///< {"errorType", "errorMessage"}
  lambda, ///< X-Amzn-ErrorType and {"Type", "Message"}
};

/// Where a request goes. A `problem` other than none is the whole answer.
struct route {
  errc problem = errc::none; ///< path_not_found, method_not_allowed or invalid_argument (the target is malformed)
  endpoint where = endpoint::index;
  dialect speaks = dialect::plain;
  std::string name;       ///< the path's variable part, percent-decoded; not checked any further
  std::string_view query; ///< without the question mark, percent-encoded; points into the target
  std::string allow;      ///< for method_not_allowed: the methods that exist there
};

/// Finds the route of a method and a request target (origin form, absolute form or `*`). Paths are split at their
/// slashes first and decoded then, so that %2F is part of a name. HEAD goes wherever GET goes.
route find_route(boost::beast::http::verb method, std::string_view target);

/// The largest body that a request to that endpoint may bring, in bytes.
size_t body_bytes_max(endpoint where) noexcept;

} // namespace troupe::http
