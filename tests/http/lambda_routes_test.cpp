#define CAF_SUITE http.lambda_routes

#include "http/lambda_routes.hpp"

#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"

#include <boost/json/parse.hpp>

#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;

namespace {

const std::string functions = "/2015-03-31/functions";

struct fixture {
  test::test_node node;

  test::answer create(const std::string& name, const std::string& zip = "zip") {
    return node.ask("POST", functions,
                    R"({"FunctionName":")" + name
                      + R"(","Runtime":"python3.11","Role":"r","Handler":"f.f","Code":{"ZipFile":")"
                      + base64_encode(zip) + "\"}}");
  }

  test::answer invoke(const std::string& name, std::string_view body = "1", std::string_view fields = {}) {
    return node.ask("POST", functions + "/" + name + "/invocations", body, fields);
  }

  static boost::json::value json(const test::answer& from) { return boost::json::parse(from.body); }

  static void check_error(const test::answer& got, int status, std::string_view type) {
    CAF_CHECK_EQUAL(got.status, status);
    CAF_CHECK_EQUAL(got.field("x-amzn-errortype"), std::string{type});
    const auto document = json(got).as_object();
    CAF_CHECK(document.at("Type") == (status < 500 ? "User" : "Service"));
    CAF_CHECK(!document.at("Message").as_string().empty());
    CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
  }
};

struct invoke_failure {
  const char* name;
  int status;
  const char* type;
};

constexpr invoke_failure invoke_failures[] = {
  {"absent", 404, "ResourceNotFoundException"},        {"busy", 429, "TooManyRequestsException"},
  {"stopping", 503, "ServiceUnavailableException"},    {"broken", 502, "ServiceException"},
  {"not-json", 400, "InvalidRequestContentException"}, {"echo:prod", 404, "ResourceNotFoundException"},
  {"a%2Fb", 400, "InvalidParameterValueException"},
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(lambda_routes_tests, fixture)

CAF_TEST(a function is created once) {
  const auto got = create("f");
  CAF_CHECK_EQUAL(got.status, 201);
  const auto shown = json(got);
  CAF_CHECK(shown.at("FunctionName") == "f");
  CAF_CHECK(shown.at("Runtime") == "python3");
  CAF_CHECK(shown.at("CodeSize") == 3);
  CAF_CHECK(shown.at("State") == "Active");
  check_error(create("f"), 409, "ResourceConflictException");
}

CAF_TEST(a large archive goes the same way) {
  const std::string zip(4 * limits::mib, 'z');
  const auto got = create("large", zip);
  CAF_CHECK_EQUAL(got.status, 201);
  CAF_CHECK(json(got).at("CodeSize") == zip.size());
}

CAF_TEST(malformed JSON is told with its position) {
  const auto got = node.ask("POST", functions, "{\"FunctionName\": oops}");
  check_error(got, 400, "InvalidRequestContentException");
  CAF_CHECK(got.body.find("at byte 17") != std::string::npos);
}

CAF_TEST(a function is shown with its codes location) {
  create("f", "the zip");
  const auto got = node.ask("GET", functions + "/f");
  CAF_CHECK_EQUAL(got.status, 200);
  const auto document = json(got);
  CAF_CHECK(document.at("Configuration").at("Handler") == "f.f");
  const std::string location{document.at("Code").at("Location").as_string()};
  CAF_REQUIRE(location.starts_with(node.context.origin + "/"));
  const auto bundle = node.ask("GET", location.substr(node.context.origin.size()));
  CAF_CHECK_EQUAL(bundle.body, "the zip");
  CAF_CHECK_EQUAL(bundle.field("content-type"), "application/zip");
  CAF_CHECK(json(node.ask("GET", functions + "/f/configuration")) == document.at("Configuration"));
  CAF_CHECK_EQUAL(node.ask("GET", functions + "/arn%3Aaws%3Alambda%3Alocal%3A000000000000%3Afunction%3Af").status, 200);
  CAF_CHECK_EQUAL(node.ask("GET", functions + "/f?Qualifier=%24LATEST").status, 200);
  check_error(node.ask("GET", functions + "/f?Qualifier=7"), 404, "ResourceNotFoundException");
  check_error(node.ask("GET", functions + "/g"), 404, "ResourceNotFoundException");
}

CAF_TEST(bundles that do not exist are not found) {
  CAF_CHECK_EQUAL(node.ask("GET", "/v1/bundles/" + std::string(64, '0')).status, 404);
  CAF_CHECK_EQUAL(node.ask("GET", "/v1/bundles/xyz").status, 400);
}

CAF_TEST(a configuration changes unless somebody else was faster) {
  const std::string revision{json(create("f")).at("RevisionId").as_string()};
  const auto path = functions + "/f/configuration";
  const auto got = node.ask("PUT", path, R"({"MemorySize":512,"RevisionId":")" + revision + "\"}");
  CAF_CHECK_EQUAL(got.status, 200);
  CAF_CHECK(json(got).at("MemorySize") == 512);
  check_error(node.ask("PUT", path, R"({"MemorySize":256,"RevisionId":")" + revision + "\"}"), 412,
              "PreconditionFailedException");
  check_error(node.ask("PUT", path, R"({"MemorySize":1})"), 400, "InvalidParameterValueException");
  check_error(node.ask("PUT", functions + "/g/configuration", "{}"), 404, "ResourceNotFoundException");
}

CAF_TEST(concurrency is put and got and deleted) {
  create("f");
  const std::string path = "/2017-10-31/functions/f/concurrency";
  const std::string got = "/2019-09-30/functions/f/concurrency";
  CAF_CHECK_EQUAL(node.ask("GET", got).body, "{}");
  const auto put = node.ask("PUT", path, R"({"ReservedConcurrentExecutions":0})");
  CAF_CHECK_EQUAL(put.status, 200);
  CAF_CHECK_EQUAL(put.body, R"({"ReservedConcurrentExecutions":0})");
  CAF_CHECK_EQUAL(node.ask("GET", got).body, put.body);
  CAF_CHECK_EQUAL(node.ask("GET", path).body, put.body);
  CAF_CHECK_EQUAL(node.ask("PUT", path, R"({"ReservedConcurrentExecutions":7})").status, 200);
  const auto shown = json(node.ask("GET", functions + "/f"));
  CAF_CHECK(shown.at("Concurrency").at("ReservedConcurrentExecutions") == 7);
  CAF_CHECK(shown.at("Configuration").at("MaximumConcurrency") == 7);
  CAF_CHECK_EQUAL(node.ask("DELETE", path).status, 204);
  CAF_CHECK_EQUAL(node.ask("GET", got).body, "{}");
  CAF_CHECK(!json(node.ask("GET", functions + "/f")).as_object().contains("Concurrency"));
  check_error(node.ask("PUT", path, R"({"ReservedConcurrentExecutions":-1})"), 400, "InvalidParameterValueException");
  for (const char* method : {"PUT", "GET", "DELETE"})
    check_error(node.ask(method, "/2017-10-31/functions/none/concurrency", R"({"ReservedConcurrentExecutions":1})"),
                404, "ResourceNotFoundException");
}

CAF_TEST(tenants have functions of the same name) {
  const std::string acme = "X-Troupe-Tenant: acme\r\n";
  create("f");
  CAF_CHECK_EQUAL(node.ask("GET", functions + "/f", {}, acme).status, 404);
  CAF_CHECK_EQUAL(node
                    .ask("POST", functions,
                         R"({"FunctionName":"f","Runtime":"python3","Role":"r","Handler":"other.f","Code":)"
                         R"({"ZipFile":"emlw"}})",
                         acme)
                    .status,
                  201);
  const auto handler_for = [&](const std::string& fields) {
    return std::string{json(node.ask("GET", functions + "/f/configuration", {}, fields)).at("Handler").as_string()};
  };
  CAF_CHECK_EQUAL(handler_for(""), "f.f");
  CAF_CHECK_EQUAL(handler_for("X-Troupe-Tenant: default\r\n"), "f.f");
  CAF_CHECK_EQUAL(handler_for(acme), "other.f");
  CAF_CHECK_EQUAL(json(node.ask("GET", functions, {}, acme)).at("Functions").as_array().size(), 1u);
  CAF_CHECK_EQUAL(invoke("tenant", "1", acme).body, "\"acme\"");
  CAF_CHECK_EQUAL(invoke("tenant").body, "\"default\"");
  CAF_CHECK_EQUAL(node.ask("DELETE", functions + "/f", {}, acme).status, 204);
  CAF_CHECK_EQUAL(handler_for(""), "f.f");
}

CAF_TEST(a tenant that is no name is refused) {
  for (const std::string bad : {"Acme", "a b", "-a", "a/b", "\xc3\xa4"})
    check_error(invoke("tenant", "1", "X-Troupe-Tenant: " + bad + "\r\n"), 400, "InvalidParameterValueException");
  check_error(invoke("tenant", "1", "X-Troupe-Tenant: " + std::string(64, 'a') + "\r\n"), 400,
              "InvalidParameterValueException");
}

CAF_TEST(code changes and a dry run changes nothing) {
  create("f");
  const auto packed = handlers::pack({{"f.py", "def f(event): return event", false}});
  CAF_REQUIRE(packed.engaged());
  const auto body = [&](const std::string& rest) {
    return R"({"ZipFile":")" + base64_encode(*packed) + "\"" + rest + "}";
  };
  const auto dry = node.ask("PUT", functions + "/f/code", body(R"(,"DryRun":true)"));
  CAF_CHECK_EQUAL(dry.status, 200);
  CAF_CHECK(json(dry).at("CodeSize") == packed->size());
  CAF_CHECK(json(node.ask("GET", functions + "/f/configuration")).at("CodeSize") == 3);
  check_error(node.ask("PUT", functions + "/f/code", R"({"ZipFile":"emlw","DryRun":true})"), 400,
              "InvalidParameterValueException");
  CAF_CHECK_EQUAL(node.ask("PUT", functions + "/f/code", body("")).status, 200);
  CAF_CHECK(json(node.ask("GET", functions + "/f/configuration")).at("CodeSize") == packed->size());
}

CAF_TEST(functions are listed page by page) {
  for (const char* name : {"a", "b", "c", "d", "e"})
    create(name);
  const auto first = json(node.ask("GET", functions + "/?MaxItems=2"));
  CAF_CHECK_EQUAL(first.at("Functions").as_array().size(), 2u);
  CAF_CHECK(first.at("NextMarker") == "b");
  const auto last = json(node.ask("GET", functions + "?Marker=b&MaxItems=3")).as_object();
  CAF_CHECK_EQUAL(last.at("Functions").as_array().size(), 3u);
  CAF_CHECK(last.at("Functions").at(0).at("FunctionName") == "c");
  CAF_CHECK(!last.contains("NextMarker"));
  check_error(node.ask("GET", functions + "?MaxItems=0"), 400, "InvalidParameterValueException");
}

CAF_TEST(a function is deleted once) {
  create("f");
  CAF_CHECK_EQUAL(node.ask("DELETE", functions + "/f").status, 204);
  check_error(node.ask("DELETE", functions + "/f"), 404, "ResourceNotFoundException");
}

CAF_TEST(an invocation brings the answer of the handler) {
  const auto got = invoke("echo", "[1]");
  CAF_CHECK_EQUAL(got.status, 200);
  CAF_CHECK_EQUAL(got.body, "[1]");
  CAF_CHECK_EQUAL(got.field("x-amz-executed-version"), "$LATEST");
  CAF_CHECK(uuid::parse(got.field("x-amzn-requestid")).has_value());
  CAF_CHECK_EQUAL(got.field("x-amz-function-error"), "");
  CAF_CHECK_EQUAL(got.field("x-amz-log-result"), "");
  CAF_CHECK_EQUAL(invoke("echo", "").body, "{}");
  CAF_CHECK_EQUAL(invoke("echo%3A%24LATEST").status, 200);
}

CAF_TEST(a failing handler is a function error) {
  for (const char* name : {"raise", "timeout", "crash", "out_of_memory"}) {
    const auto got = invoke(name);
    CAF_CHECK_EQUAL(got.status, 200);
    CAF_CHECK_EQUAL(got.field("x-amz-function-error"), "Unhandled");
    CAF_CHECK(json(got).at("errorType") == "ValueError");
  }
}

CAF_TEST(the tail of the log comes with the answer when it is asked for) {
  CAF_CHECK_EQUAL(base64_decode(invoke("echo", "1", "X-Amz-Log-Type: Tail\r\n").field("x-amz-log-result")).value_or(""),
                  "a line\n");
  CAF_CHECK_EQUAL(invoke("echo", "1", "X-Amz-Log-Type: None\r\n").field("x-amz-log-result"), "");
  check_error(invoke("echo", "1", "X-Amz-Log-Type: All\r\n"), 400, "InvalidParameterValueException");
}

CAF_TEST(the context of the client reaches the handler) {
  const auto field = [](const std::string& value) { return "X-Amz-Client-Context: " + value + "\r\n"; };
  CAF_CHECK_EQUAL(invoke("context", "1", field(base64_encode(R"({"custom":1})"))).body, R"({"custom":1})");
  check_error(invoke("context", "1", field("!!!!")), 400, "InvalidRequestContentException");
}

CAF_TEST(invocation types are those of AWS without Event) {
  create("f");
  CAF_CHECK_EQUAL(invoke("echo", "1", "X-Amz-Invocation-Type: RequestResponse\r\n").status, 200);
  const auto dry = invoke("f", "1", "X-Amz-Invocation-Type: DryRun\r\n");
  CAF_CHECK_EQUAL(dry.status, 204);
  CAF_CHECK_EQUAL(dry.body, "");
  check_error(invoke("g", "1", "X-Amz-Invocation-Type: DryRun\r\n"), 404, "ResourceNotFoundException");
  check_error(invoke("echo", "1", "X-Amz-Invocation-Type: Event\r\n"), 400, "InvalidParameterValueException");
  check_error(invoke("echo", "1", "X-Amz-Invocation-Type: Other\r\n"), 400, "InvalidParameterValueException");
}

CAF_TEST(what was not run is an error of the kind that AWS has) {
  for (const auto& [name, status, type] : invoke_failures) {
    CAF_MESSAGE(name);
    check_error(invoke(name), status, type);
  }
  const auto busy = invoke("busy");
  CAF_CHECK_EQUAL(busy.field("retry-after"), "1");
  CAF_CHECK(json(busy).at("Reason") == "ReservedFunctionConcurrentInvocationLimitExceeded");
  CAF_CHECK(json(busy).at("Message") == "the function runs as often at one time as it may");
  check_error(node.ask("GET", functions + "/f/nothing"), 404, "ResourceNotFoundException");
  check_error(node.ask("PATCH", functions), 405, "MethodNotAllowedException");
}

CAF_TEST_FIXTURE_SCOPE_END()
