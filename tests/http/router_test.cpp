#define CAF_SUITE http.router

#include "http/router.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::http;
using boost::beast::http::verb;

namespace {

struct found_case {
  verb method;
  std::string_view target;
  endpoint where;
  std::string_view name;
  std::string_view query;
};

constexpr found_case found_cases[] = {
  {verb::post, "/run/hello", endpoint::run_function, "hello", ""},
  {verb::get, "/run/hello", endpoint::run_function, "hello", ""},
  {verb::head, "/run/hello", endpoint::run_function, "hello", ""},
  {verb::post, "/runLambda/hello?x=1", endpoint::run_function, "hello", "x=1"},
  {verb::post, "/run/a%2Fb", endpoint::run_function, "a/b", ""},
  {verb::post, "/run/%2e%2e", endpoint::run_function, "..", ""},
  {verb::post, "/%72un/x", endpoint::run_function, "x", ""},
  {verb::post, "/run/a+b", endpoint::run_function, "a+b", ""},
  {verb::post, "http://127.0.0.1:8080/run/hello?q", endpoint::run_function, "hello", "q"},
  {verb::post, "/2015-03-31/functions", endpoint::create_function, "", ""},
  {verb::post, "/2015-03-31/functions/", endpoint::create_function, "", ""},
  {verb::get, "/2015-03-31/functions/?MaxItems=3", endpoint::list_functions, "", "MaxItems=3"},
  {verb::get, "/2015-03-31/functions/f%3A%24LATEST", endpoint::get_function, "f:$LATEST", ""},
  {verb::delete_, "/2015-03-31/functions/f", endpoint::delete_function, "f", ""},
  {verb::get, "/2015-03-31/functions/f/configuration", endpoint::get_configuration, "f", ""},
  {verb::put, "/2015-03-31/functions/f/configuration", endpoint::put_configuration, "f", ""},
  {verb::put, "/2015-03-31/functions/f/code", endpoint::put_code, "f", ""},
  {verb::post, "/2015-03-31/functions/f/invocations", endpoint::invoke_function, "f", ""},
  {verb::put, "/2017-10-31/functions/f/concurrency", endpoint::put_concurrency, "f", ""},
  {verb::delete_, "/2017-10-31/functions/f/concurrency", endpoint::delete_concurrency, "f", ""},
  {verb::get, "/2017-10-31/functions/f/concurrency", endpoint::get_concurrency, "f", ""},
  {verb::get, "/2019-09-30/functions/f/concurrency", endpoint::get_concurrency, "f", ""},
  {verb::get, "/v1/bundles/abc", endpoint::get_bundle, "abc", ""},
  {verb::get, "/healthz", endpoint::health, "", ""},
  {verb::get, "/readyz", endpoint::readiness, "", ""},
  {verb::get, "/metrics", endpoint::metrics, "", ""},
  {verb::get, "/v1/invocations?limit=1", endpoint::list_invocations, "", "limit=1"},
  {verb::get, "/v1/usage", endpoint::list_usage, "", ""},
  {verb::get, "/v1/usage/verify", endpoint::verify_usage, "", ""},
  {verb::get, "/v1/cluster", endpoint::list_members, "", ""},
  {verb::post, "/v1/cluster/n2/drain", endpoint::drain_member, "n2", ""},
  {verb::get, "/", endpoint::index, "", ""},
  {verb::get, "http://127.0.0.1:8080", endpoint::index, "", ""},
  {verb::options, "*", endpoint::preflight, "", ""},
  {verb::options, "/run/hello", endpoint::preflight, "", ""},
  {verb::options, "/no/such/path", endpoint::preflight, "", ""},
};

struct problem_case {
  verb method;
  std::string_view target;
  errc problem;
  std::string_view allow;
};

constexpr problem_case problem_cases[] = {
  {verb::get, "/nothing", errc::path_not_found, ""},
  {verb::get, "/run", errc::path_not_found, ""},
  {verb::get, "/run/", errc::path_not_found, ""},
  {verb::post, "/run//", errc::path_not_found, ""},
  {verb::post, "/run//x", errc::path_not_found, ""},
  {verb::post, "/run/x/", errc::path_not_found, ""},
  {verb::post, "/run/x/y", errc::path_not_found, ""},
  {verb::post, "//run/x", errc::path_not_found, ""},
  {verb::post, "/RUN/x", errc::path_not_found, ""},
  {verb::get, "/healthz/", errc::path_not_found, ""},
  {verb::get, "/run%2Fx", errc::path_not_found, ""},
  {verb::get, "/a/b/c/d/e/f/g", errc::path_not_found, ""},
  {verb::get, "/2015-03-31/functions/f/code/x", errc::path_not_found, ""},
  {verb::put, "/run/x", errc::method_not_allowed, "POST, GET, HEAD, OPTIONS"},
  {verb::unknown, "/run/x", errc::method_not_allowed, "POST, GET, HEAD, OPTIONS"},
  {verb::post, "/healthz", errc::method_not_allowed, "GET, HEAD, OPTIONS"},
  {verb::post, "/2015-03-31/functions/f/configuration", errc::method_not_allowed, "GET, HEAD, PUT, OPTIONS"},
  {verb::get, "/2015-03-31/functions/f/code", errc::method_not_allowed, "PUT, OPTIONS"},
  {verb::put, "/2019-09-30/functions/f/concurrency", errc::method_not_allowed, "GET, HEAD, OPTIONS"},
  {verb::get, "/run/%zz", errc::invalid_argument, ""},
  {verb::get, "/run/%4", errc::invalid_argument, ""},
  {verb::get, "/run/x#y", errc::invalid_argument, ""},
  {verb::get, "/run/\xc3\xa4", errc::invalid_argument, ""},
  {verb::get, "run/x", errc::invalid_argument, ""},
  {verb::get, "*", errc::invalid_argument, ""},
  {verb::get, "", errc::invalid_argument, ""},
};

} // namespace

CAF_TEST(every path leads where it should) {
  for (const auto& c : found_cases) {
    CAF_MESSAGE(c.target);
    const auto found = find_route(c.method, c.target);
    CAF_CHECK(found.problem == errc::none);
    CAF_CHECK(found.where == c.where);
    CAF_CHECK_EQUAL(found.name, std::string{c.name});
    CAF_CHECK_EQUAL(std::string{found.query}, std::string{c.query});
  }
}

CAF_TEST(what leads nowhere says why) {
  for (const auto& c : problem_cases) {
    CAF_MESSAGE(c.target);
    const auto found = find_route(c.method, c.target);
    CAF_CHECK_EQUAL(name_of(found.problem), name_of(c.problem));
    CAF_CHECK_EQUAL(found.allow, std::string{c.allow});
  }
}

CAF_TEST(paths of the Lambda API speak its dialect and others do not ) {
  CAF_CHECK(find_route(verb::get, "/2015-03-31/nothing").speaks == dialect::lambda);
  CAF_CHECK(find_route(verb::put, "/2017-10-31/nothing").speaks == dialect::lambda);
  CAF_CHECK(find_route(verb::get, "/2019-09-30/nothing").speaks == dialect::lambda);
  CAF_CHECK(find_route(verb::post, "/run/x").speaks == dialect::plain);
}

CAF_TEST(bodies have limits by what they bring) {
  CAF_CHECK_EQUAL(body_bytes_max(endpoint::run_function), limits::payload_bytes_max);
  CAF_CHECK_EQUAL(body_bytes_max(endpoint::invoke_function), limits::payload_bytes_max);
  CAF_CHECK_EQUAL(body_bytes_max(endpoint::put_code), limits::deploy_body_bytes_max);
  CAF_CHECK_EQUAL(body_bytes_max(endpoint::health), limits::small_body_bytes_max);
}
