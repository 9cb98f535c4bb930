#include "tools/lambda_api.hpp"

#include "config/errc.hpp"
#include "config/ids.hpp"
#include "config/limits.hpp"
#include "config/units.hpp"

#include <fmt/core.h>

#include <array>

namespace troupe::tools {

namespace {

namespace json = boost::json;

constexpr std::string_view functions_path = "/2015-03-31/functions";

/// An invocation may wait in the queue for as long as others run, and then runs itself.
constexpr std::chrono::milliseconds invoke_limit = 2 * std::chrono::seconds{limits::timeout_s_max};

std::string path_of(std::string_view name, std::string_view rest = {}) {
  return fmt::format("{}/{}{}", functions_path, percent_encoded(name), rest);
}

http_call call_of(std::string_view method, std::string target, std::string body = {}) {
  http_call call;
  call.method = method;
  call.target = std::move(target);
  call.body = std::move(body);
  call.limit = limits::answer_time_max;
  return call;
}

/// The fields that CreateFunction and UpdateFunctionConfiguration share.
json::object document_of(const function_options& options) {
  json::object document;
  if (options.handler)
    document["Handler"] = *options.handler;
  if (options.runtime)
    document["Runtime"] = *options.runtime;
  if (options.memory_mb)
    document["MemorySize"] = *options.memory_mb;
  if (options.timeout_s)
    document["Timeout"] = *options.timeout_s;
  if (options.environment) {
    json::object variables;
    for (const auto& [name, value] : *options.environment)
      variables[name] = value;
    document["Environment"] = json::object{{"Variables", std::move(variables)}};
  }
  if (options.ephemeral_storage_mb)
    document["EphemeralStorage"] = json::object{{"Size", *options.ephemeral_storage_mb}};
  if (options.concurrency_max) {
    const auto number = config::parse_number(*options.concurrency_max);
    document["MaximumConcurrency"] = number ? json::value(*number) : json::value(*options.concurrency_max);
  }
  if (options.concurrency_reserved)
    document["ReservedConcurrency"] = *options.concurrency_reserved;
  if (options.network)
    document["Network"] = *options.network;
  if (options.idempotent)
    document["Idempotent"] = *options.idempotent;
  return document;
}

/// The first error in the order of the enum with that status: what the node meant, as near as HTTP can say it.
errc code_from(int status) {
  constexpr std::array codes{errc::invalid_argument,  errc::function_not_found, errc::method_not_allowed,
                             errc::function_exists,   errc::conflict,           errc::payload_too_large,
                             errc::headers_too_large, errc::request_timeout,    errc::too_many_requests,
                             errc::unavailable,       errc::sandbox_failed};
  for (const auto code : codes)
    if (face_of(code).http_status == status)
      return code;
  return errc::internal;
}

} // namespace

caf::error error_of(const http_answer& answer) {
  if (answer.status >= 200 && answer.status < 300)
    return {};
  boost::system::error_code malformed;
  const auto document = json::parse(answer.body, malformed);
  std::string what;
  if (!malformed && document.is_object())
    for (const auto* field : {"Message", "message", "errorMessage"})
      if (what.empty())
        what = text_at(document.get_object(), field);
  if (what.empty())
    what = fmt::format("the node answered with HTTP status {}", answer.status);
  return make_error(code_from(answer.status), std::move(what));
}

caf::expected<json::object> object_of(const caf::expected<http_answer>& answer) {
  if (!answer)
    return answer.error();
  if (auto failure = error_of(*answer))
    return failure;
  boost::system::error_code malformed;
  auto document = json::parse(answer->body, malformed);
  if (malformed || !document.is_object())
    return make_error(errc::unavailable, "the endpoint does not answer like a node: what it sent is not a JSON object");
  return std::move(document.get_object());
}

std::string text_at(const json::object& document, std::string_view field) {
  const auto* value = document.if_contains(field);
  return value != nullptr && value->is_string() ? std::string{value->get_string()} : std::string{};
}

int64_t number_at(const json::object& document, std::string_view field) {
  const auto* value = document.if_contains(field);
  boost::system::error_code unfit;
  const auto number = value == nullptr ? 0 : value->to_number<int64_t>(unfit);
  return unfit ? 0 : number;
}

caf::expected<json::object> lambda_api::create(std::string_view name, const function_options& options,
                                               std::string_view zip) const {
  auto document = document_of(options);
  document["FunctionName"] = name;
  document["Role"] = "arn:aws:iam::000000000000:role/troupe"; // The API requires one; here it means nothing.
  document["Code"] = json::object{{"ZipFile", base64_encode(zip)}};
  return object_of(client_.send(call_of("POST", std::string{functions_path}, json::serialize(document))));
}

caf::expected<json::object> lambda_api::update_code(std::string_view name, std::string_view zip) const {
  const json::object document{{"ZipFile", base64_encode(zip)}};
  return object_of(client_.send(call_of("PUT", path_of(name, "/code"), json::serialize(document))));
}

caf::expected<json::object> lambda_api::update_configuration(std::string_view name,
                                                             const function_options& options) const {
  return object_of(
    client_.send(call_of("PUT", path_of(name, "/configuration"), json::serialize(document_of(options)))));
}

caf::expected<json::object> lambda_api::get(std::string_view name) const {
  return object_of(client_.send(call_of("GET", path_of(name, "/configuration"))));
}

caf::expected<json::array> lambda_api::list() const {
  json::array all;
  for (std::string marker;;) {
    auto target = fmt::format("{}?MaxItems={}", functions_path, limits::list_items_max);
    if (!marker.empty())
      target += fmt::format("&Marker={}", percent_encoded(marker));
    auto page = object_of(client_.send(call_of("GET", std::move(target))));
    if (!page)
      return page.error();
    if (auto* functions = page->if_contains("Functions"); functions != nullptr && functions->is_array())
      for (auto& function : functions->get_array())
        all.push_back(std::move(function));
    marker = text_at(*page, "NextMarker");
    if (marker.empty())
      return all;
    if (all.size() > limits::functions_max)
      return make_error(errc::unavailable, "the list of functions does not end");
  }
}

caf::error lambda_api::remove(std::string_view name) const {
  const auto answer = client_.send(call_of("DELETE", path_of(name)));
  return answer ? error_of(*answer) : answer.error();
}

caf::expected<invoke_answer> lambda_api::invoke(std::string_view name, std::string event,
                                                const invoke_options& how) const {
  auto call = call_of("POST", path_of(name, "/invocations"), std::move(event));
  call.limit = invoke_limit;
  call.headers.emplace_back("Content-Type", "application/json");
  if (how.wants_log)
    call.headers.emplace_back("X-Amz-Log-Type", "Tail");
  if (!how.idempotency_key.empty())
    call.headers.emplace_back("Idempotency-Key", how.idempotency_key);
  auto answer = client_.send(call);
  if (!answer)
    return answer.error();
  if (auto failure = error_of(*answer))
    return failure;
  invoke_answer result;
  result.has_failed = !answer->header("X-Amz-Function-Error").empty();
  result.log = base64_decode(answer->header("X-Amz-Log-Result")).value_or(std::string{});
  result.payload = std::move(answer->body);
  return result;
}

} // namespace troupe::tools
