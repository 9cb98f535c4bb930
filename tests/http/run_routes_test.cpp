#define CAF_SUITE http.run_routes

#include "http/run_routes.hpp"

#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;

namespace {

struct fixture {
  test::test_node node;
};

struct failure_case {
  const char* name;
  int status;
  const char* part; ///< of the body
};

constexpr failure_case failures[] = {
  {"raise", 500, R"("errorType":"ValueError","errorMessage":"no","stackTrace":[])"},
  {"timeout", 504, R"("errorType":"ValueError")"},
  {"crash", 500, R"("errorType":"ValueError")"},
  {"out_of_memory", 500, R"("errorType":"ValueError")"},
  {"absent", 404, R"({"errorType":"ResourceNotFoundException","errorMessage":"Function not found: absent"})"},
  {"busy", 429,
   R"({"errorType":"TooManyRequestsException","errorMessage":"the function runs as often at one time as it may",)"
   R"("reason":"ReservedFunctionConcurrentInvocationLimitExceeded"})"},
  {"stopping", 503, R"("errorType":"ServiceUnavailableException")"},
  {"broken", 502, R"("errorType":"ServiceException")"},
  {"not-json", 400, R"({"errorType":"InvalidRequestContentException","errorMessage":"the event is not JSON: byte 3"})"},
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(run_routes_tests, fixture)

CAF_TEST(what the handler answers is passed on as it is) {
  for (const char* path : {"/run/echo", "/runLambda/echo"}) {
    const auto got = node.ask("POST", path, R"({"a": [1, 2.0, "ü"]})");
    CAF_CHECK_EQUAL(got.status, 200);
    CAF_CHECK_EQUAL(got.body, R"({"a": [1, 2.0, "ü"]})");
    CAF_CHECK_EQUAL(got.field("content-type"), "application/json");
    CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
    CAF_CHECK(uuid::parse(got.field("x-amzn-requestid")).has_value());
    CAF_CHECK_EQUAL(got.field("date").size(), 29u);
  }
}

CAF_TEST(a function is that of the tenant who asks) {
  CAF_CHECK_EQUAL(node.ask("POST", "/run/tenant", "1").body, "\"default\"");
  CAF_CHECK_EQUAL(node.ask("POST", "/run/tenant", "1", "X-Troupe-Tenant: acme\r\n").body, "\"acme\"");
  const auto refused = node.ask("POST", "/run/tenant", "1", "X-Troupe-Tenant: A\r\n");
  CAF_CHECK_EQUAL(refused.status, 400);
  CAF_CHECK(refused.body.find("X-Troupe-Tenant must be 1 to 63 of a-z, 0-9 and inner hyphens") != std::string::npos);
}

CAF_TEST(no body is an empty event) {
  CAF_CHECK_EQUAL(node.ask("POST", "/run/echo").body, "{}");
  CAF_CHECK_EQUAL(node.ask("GET", "/run/echo").body, "{}");
  CAF_CHECK_EQUAL(node.ask("GET", "/run/echo?x=1").body, "{}");
}

CAF_TEST(every failure has its status and says what it is) {
  for (const auto& [name, status, part] : failures) {
    const auto got = node.ask("POST", std::string{"/run/"} + name, "1");
    CAF_MESSAGE(name << ": " << got.body);
    CAF_CHECK_EQUAL(got.status, status);
    CAF_CHECK(got.body.find(part) != std::string::npos);
    CAF_CHECK_EQUAL(got.field("content-type"), "application/json");
    CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
    CAF_CHECK_EQUAL(got.field("retry-after"), status == 429 || status == 502 || status == 503 ? "1" : "");
  }
}

CAF_TEST(names come decoded and go back as valid JSON) {
  CAF_CHECK_EQUAL(node.ask("POST", "/run/ec%68o", "1").body, "1");
  CAF_CHECK_EQUAL(
    node.ask("POST", "/run/a%22%0a%ff", "1").body,
    "{\"errorType\":\"ResourceNotFoundException\",\"errorMessage\":\"Function not found: a\\\"\\n\xef\xbf\xbd\"}");
}

CAF_TEST_FIXTURE_SCOPE_END()
