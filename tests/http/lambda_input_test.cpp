#define CAF_SUITE http.lambda_input

#include "http/lambda_input.hpp"

#include "config/errc.hpp"
#include "config/ids.hpp"
#include "http/lambda_json.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <caf/test/unit_test.hpp>

#include <tuple>

using namespace troupe;
using namespace troupe::http;

namespace {

/// A create document with `member` in addition, or in place of the one of that name.
std::string create_with(const std::string& member) {
  auto document = boost::json::parse(
                    R"({"FunctionName":"f","Runtime":"python3","Role":"r","Handler":"m.f","Code":{"ZipFile":"emlw"}})")
                    .as_object();
  const auto extra = boost::json::parse("{" + member + "}").as_object();
  for (const auto& [name, value] : extra)
    document[name] = value;
  return boost::json::serialize(document);
}

std::string problem_of(const caf::error& error) {
  return error ? std::string{name_of(code_of(error))} + ": " + what_of(error) : "none";
}

struct refused_case {
  const char* member;
  const char* what;
};

constexpr refused_case refused_cases[] = {
  {R"("FunctionName":null)", "FunctionName is missing"},
  {R"("FunctionName":7)", "FunctionName must be a string"},
  {R"("FunctionName":"a b")", "FunctionName must be 1 to 64"},
  {R"("FunctionName":"f:$LATEST")", "without a qualifier"},
  {R"("Runtime":"nodejs18.x")", "Runtime must be python3 (python3.9 to python3.13 are taken for it)"},
  {R"("Runtime":"python2.7")", "Runtime must be python3"},
  {R"("Runtime":null)", "Runtime is missing"},
  {R"("Handler":null)", "Handler is missing"},
  {R"("Handler":"f")", "Handler must be module.callable"},
  {R"("Handler":".f")", "Handler must be"},
  {R"("Handler":"m.")", "Handler must be"},
  {R"("Handler":"../m.f")", "Handler must be"},
  {R"("Handler":"/etc/m.f")", "Handler must be"},
  {R"("Handler":"m f.g")", "Handler must be"},
  {R"("Handler":"m.1")", "Handler must be"},
  {R"("MemorySize":127)", "MemorySize must be a whole number from 128 to 10240"},
  {R"("MemorySize":10241)", "MemorySize must be"},
  {R"("MemorySize":128.5)", "MemorySize must be"},
  {R"("MemorySize":"128")", "MemorySize must be"},
  {R"("Timeout":0)", "Timeout must be a whole number from 1 to 900"},
  {R"("Timeout":901)", "Timeout must be"},
  {R"("Timeout":-1)", "Timeout must be"},
  {R"("Timeout":18446744073709551615)", "Timeout must be"},
  {R"("Environment":[])", "Environment must be an object"},
  {R"("Environment":{"Variables":{"A":1}})", "Environment values must be strings"},
  {R"("Environment":{"Variables":{"A":"x\u0000y"}})", "Environment values must be strings without zero bytes"},
  {R"("Environment":{"Variables":{"1A":"x"}})", "Environment names must be"},
  {R"("Environment":{"Variables":{"A=B":"x"}})", "Environment names must be"},
  {R"("Environment":{"Variables":{"":"x"}})", "Environment names must be"},
  {R"("Environment":{"Variables":{"AWS_LAMBDA_FUNCTION_NAME":"x"}})", "not reserved"},
  {R"("Environment":{"Variables":{"_HANDLER":"x"}})", "not reserved"},
  {R"("Publish":true)", "Publish is not supported"},
  {R"("Publish":1)", "Publish must be true or false"},
  {R"("PackageType":"Image")", "PackageType must be Zip"},
  {R"("Architectures":["m68k"])", "Architectures must be"},
  {R"("Layers":["arn"])", "Layers is not supported"},
  {R"("VpcConfig":{"SubnetIds":["s"]})", "VpcConfig is not supported"},
  {R"("Tags":{"a":"b"})", "Tags is not supported"},
  {R"("EphemeralStorage":{"Size":511})", "EphemeralStorage Size must be a whole number from 512 to 10240"},
  {R"("EphemeralStorage":{"Size":10241})", "EphemeralStorage Size must be"},
  {R"("EphemeralStorage":{"Size":"512"})", "EphemeralStorage Size must be"},
  {R"("EphemeralStorage":{})", "EphemeralStorage must have a Size"},
  {R"("EphemeralStorage":512)", "EphemeralStorage must be an object"},
  {R"("Network":"ingress")", "Network must be none or egress"},
  {R"("Network":true)", "Network must be a string"},
  {R"("MaximumConcurrency":-1)", "MaximumConcurrency must be a whole number from 0 to 100000"},
  {R"("MaximumConcurrency":"many")", "MaximumConcurrency must be"},
  {R"("ReservedConcurrency":100001)", "ReservedConcurrency must be a whole number from 0 to 100000"},
  {R"("TracingConfig":{"Mode":"Active"})", "TracingConfig is not supported"},
  {R"("Code":null)", "Code is missing"},
  {R"("Code":"x")", "Code must be an object"},
  {R"("Code":{})", "Code.ZipFile must hold the archive"},
  {R"("Code":{"S3Bucket":"b","S3Key":"k"})", "other sources are not supported"},
  {R"("Code":{"ZipFile":"no base64!"})", "Code.ZipFile is not base64"},
};

constexpr const char* accepted_members[] = {
  R"("Layers":[])",
  R"("VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]})",
  R"("TracingConfig":{"Mode":"PassThrough"})",
  R"("SnapStart":{"ApplyOn":"None"})",
  R"("EphemeralStorage":{"Size":512})",
  R"("Publish":false)",
  R"("PackageType":"Zip")",
  R"("Description":null)",
  R"("Role":null)",
  R"("SomethingNew":{"a":1})",
  R"("Handler":"pkg/my-mod.handler")",
  R"("Handler":"pkg.mod.handler")",
  R"("MemorySize":10240)",
  R"("Timeout":900)",
  R"("Environment":{})",
};

} // namespace

CAF_TEST(a function is read with all its members) {
  const auto input =
    parse_create(create_with(R"("MemorySize":256,"Timeout":9,"Description":"d","Runtime":"python3.12",)"
                             R"("Environment":{"Variables":{"A":"1","B":"ü"}})"));
  CAF_REQUIRE(input.engaged());
  const auto& config = input->config;
  CAF_CHECK_EQUAL(config.name, "f");
  CAF_CHECK_EQUAL(config.runtime, "python3");
  CAF_CHECK_EQUAL(config.handler, "m.f");
  CAF_CHECK_EQUAL(config.role, "r");
  CAF_CHECK_EQUAL(config.description, "d");
  CAF_CHECK_EQUAL(config.memory_mb, 256u);
  CAF_CHECK_EQUAL(config.timeout_s, 9u);
  CAF_CHECK_EQUAL(config.environment.at("B"), "ü");
  CAF_CHECK_EQUAL(input->zip, "zip");
}

CAF_TEST(what is left out gets the platforms defaults) {
  const auto input = parse_create(create_with(""));
  CAF_REQUIRE(input.engaged());
  CAF_CHECK_EQUAL(input->config.memory_mb, 128u);
  CAF_CHECK_EQUAL(input->config.timeout_s, 3u);
  CAF_CHECK(input->config.environment.empty());
  CAF_CHECK_EQUAL(input->config.ephemeral_storage_mb, 512u);
  CAF_CHECK_EQUAL(input->config.concurrency_max, storage::concurrency_unset);
  CAF_CHECK_EQUAL(input->config.concurrency_reserved, 0u);
  CAF_CHECK(input->config.network == network_access::none);
}

CAF_TEST(limits and network of a function are read) {
  const auto input = parse_create(create_with(
    R"("EphemeralStorage":{"Size":10240},"Network":"egress","MaximumConcurrency":0,"ReservedConcurrency":7)"));
  CAF_REQUIRE(input.engaged());
  CAF_CHECK_EQUAL(input->config.ephemeral_storage_mb, 10'240u);
  CAF_CHECK_EQUAL(input->config.concurrency_max, 0u);
  CAF_CHECK_EQUAL(input->config.concurrency_reserved, 7u);
  CAF_CHECK(input->config.network == network_access::egress);
  const auto change = parse_configuration(R"({"EphemeralStorage":{"Size":600},"MaximumConcurrency":"none"})");
  CAF_REQUIRE(change.engaged());
  CAF_CHECK_EQUAL(*change->ephemeral_storage_mb, 600u);
  CAF_CHECK_EQUAL(*change->concurrency_max, storage::concurrency_unset);
  CAF_CHECK(!change->concurrency_reserved && !change->network);
  const auto other = parse_configuration(R"({"Network":"none","ReservedConcurrency":0})");
  CAF_REQUIRE(other.engaged());
  CAF_CHECK(*other->network == network_access::none);
  CAF_CHECK_EQUAL(*other->concurrency_reserved, 0u);
  CAF_CHECK(!other->concurrency_max && !other->ephemeral_storage_mb);
}

CAF_TEST(reserved concurrency is the maximum as well) {
  const auto change = parse_concurrency(R"({"ReservedConcurrentExecutions":5})");
  CAF_REQUIRE(change.engaged());
  CAF_CHECK_EQUAL(*change->concurrency_max, 5u);
  CAF_CHECK_EQUAL(*change->concurrency_reserved, 5u);
  for (const char* bad : {"{}", R"({"ReservedConcurrentExecutions":-1})", R"({"ReservedConcurrentExecutions":"5"})",
                          R"({"ReservedConcurrentExecutions":100001})"})
    CAF_CHECK(code_of(parse_concurrency(bad).error()) == errc::invalid_argument);
  CAF_CHECK(code_of(parse_concurrency("").error()) == errc::invalid_payload);
}

CAF_TEST(values out of bounds are refused and named) {
  for (const auto& [member, what] : refused_cases) {
    const auto problem = problem_of(parse_create(create_with(member)).error());
    CAF_MESSAGE(member << " -> " << problem);
    CAF_CHECK(problem.starts_with("invalid_argument: "));
    CAF_CHECK(problem.find(what) != std::string::npos);
  }
}

CAF_TEST(values that ask for nothing special are accepted) {
  for (const char* member : accepted_members) {
    CAF_MESSAGE(member);
    CAF_CHECK(parse_create(create_with(member)).engaged());
  }
}

CAF_TEST(texts have limits) {
  CAF_CHECK(parse_create(create_with("\"Description\":\"" + std::string(256, 'd') + "\"")).engaged());
  CAF_CHECK(!parse_create(create_with("\"Description\":\"" + std::string(257, 'd') + "\"")).engaged());
  CAF_CHECK(!parse_create(create_with("\"Handler\":\"m." + std::string(127, 'd') + "\"")).engaged());
  const auto variables = [](size_t bytes) {
    return "\"Environment\":{\"Variables\":{\"A\":\"" + std::string(bytes, 'x') + "\"}}";
  };
  CAF_CHECK(parse_create(create_with(variables(4095))).engaged());
  CAF_CHECK(!parse_create(create_with(variables(4096))).engaged());
}

CAF_TEST(malformed JSON is refused with its position) {
  CAF_CHECK_EQUAL(problem_of(parse_create("{\"a\":}").error()),
                  "invalid_payload: Could not parse request body into json: syntax error at byte 5");
  CAF_CHECK_EQUAL(problem_of(parse_create("[]").error()),
                  "invalid_payload: Could not parse request body into json: not an object at byte 0");
  for (const char* bad : {"", "{", "{} x", "\xff", "{\"a\":\"\xff\"}", "{\"a\":1,}", "null"})
    CAF_CHECK(code_of(parse_create(bad).error()) == errc::invalid_payload);
  CAF_CHECK(code_of(parse_create(std::string(1000, '[')).error()) == errc::invalid_payload);
}

CAF_TEST(a change sets what is there and nothing else) {
  const auto change = parse_configuration(R"({"MemorySize":512,"Environment":{"Variables":{}}})");
  CAF_REQUIRE(change.engaged());
  CAF_CHECK_EQUAL(*change->memory_mb, 512u);
  CAF_CHECK(change->environment && change->environment->empty());
  CAF_CHECK(!change->timeout_s && !change->handler && !change->runtime && !change->description && !change->role);
  CAF_CHECK(!change->expected_revision && !change->zip);
  CAF_CHECK(parse_configuration("").engaged());
  CAF_CHECK(!parse_configuration(R"({"MemorySize":1})").engaged());
}

CAF_TEST(a revision that cannot be the present one is a conflict) {
  const auto id = uuid::make();
  const auto change = parse_configuration(R"({"RevisionId":")" + id.to_string() + "\"}");
  CAF_REQUIRE(change.engaged());
  CAF_CHECK(*change->expected_revision == id);
  CAF_CHECK(code_of(parse_configuration(R"({"RevisionId":"x"})").error()) == errc::conflict);
}

CAF_TEST(new code is read with its options) {
  const auto code = parse_code(R"({"ZipFile":"emlw","DryRun":true})");
  CAF_REQUIRE(code.engaged());
  CAF_CHECK(code->dry_run);
  CAF_CHECK_EQUAL(*code->change.zip, "zip");
  CAF_CHECK(!parse_code(R"({"S3Bucket":"b"})").engaged());
  CAF_CHECK(!parse_code(R"({"ZipFile":"emlw","Publish":true})").engaged());
}

CAF_TEST(a client context is a small JSON object in base64) {
  const auto context = parse_client_context(base64_encode(R"({"custom":{"a":"b"}})"));
  CAF_REQUIRE(context.engaged());
  CAF_CHECK_EQUAL(*context, R"({"custom":{"a":"b"}})");
  for (const auto& bad : {std::string{"{}"}, base64_encode("[]"), base64_encode("{"), base64_encode(""),
                          base64_encode("{\"a\":\"" + std::string(3600, 'x') + "\"}")})
    CAF_CHECK(code_of(parse_client_context(bad).error()) == errc::invalid_payload);
}

CAF_TEST(a function is shown as AWS shows it) {
  function_version function;
  function.config.name = "f";
  function.config.handler = "m.f";
  function.config.environment = {{"A", "quote \" and ü"}};
  function.bundle = digest::of("zip");
  function.bundle_bytes = 3;
  function.modified_ms = 1'769'860'800'123;
  const auto shown = function_configuration(function);
  CAF_CHECK(shown.at("FunctionArn") == "arn:aws:lambda:local:000000000000:function:f");
  CAF_CHECK(shown.at("LastModified") == "2026-01-31T12:00:00.123+0000");
  CAF_CHECK(shown.at("CodeSha256") == boost::json::string{function.bundle.base64()});
  CAF_CHECK(shown.at("CodeSize") == 3);
  CAF_CHECK(shown.at("Version") == "$LATEST");
  CAF_CHECK(shown.at("State") == "Active");
  CAF_CHECK(shown.at("LastUpdateStatus") == "Successful");
  CAF_CHECK(shown.at("PackageType") == "Zip");
  CAF_CHECK(shown.at("Architectures").is_array());
  CAF_CHECK(shown.at("Environment").at("Variables").at("A") == "quote \" and ü");
  CAF_CHECK(shown.at("EphemeralStorage").at("Size") == 512);
  CAF_CHECK(shown.at("Network") == "none");
  CAF_CHECK(!shown.contains("MaximumConcurrency") && !shown.contains("ReservedConcurrency"));
  const auto document = function_document(function, "http://x/y");
  CAF_CHECK(!document.contains("Concurrency"));
  CAF_CHECK(document.at("Code").at("Location") == "http://x/y");
  CAF_CHECK(document.at("Configuration") == shown);
}

CAF_TEST(concurrency is shown as AWS shows it and in words of ours) {
  constexpr auto unset = storage::concurrency_unset;
  // Maximum, reserved, and what AWS calls reserved: -1 for nothing at all.
  const std::tuple<uint32_t, uint32_t, int> table[] = {{unset, 0, -1}, {0, 0, 0},     {5, 5, 5},
                                                       {9, 5, 5},      {unset, 5, 5}, {9, 0, -1}};
  for (const auto& [max, reserved, aws] : table) {
    CAF_MESSAGE(max << " " << reserved);
    function_version function;
    function.config.concurrency_max = max;
    function.config.concurrency_reserved = reserved;
    const auto shown = function_configuration(function);
    CAF_CHECK_EQUAL(shown.contains("MaximumConcurrency"), max != unset);
    CAF_CHECK_EQUAL(shown.contains("ReservedConcurrency"), reserved > 0);
    const auto concurrency = function_concurrency(function);
    CAF_CHECK_EQUAL(concurrency.empty(), aws < 0);
    CAF_CHECK(aws < 0 || concurrency.at("ReservedConcurrentExecutions") == aws);
    CAF_CHECK_EQUAL(function_document(function, "").contains("Concurrency"), aws >= 0);
  }
}
