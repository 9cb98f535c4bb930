#pragma once

#include "tools/http_client.hpp"

#include <boost/json.hpp>
#include <caf/expected.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::tools {

/// What a deploy or an update sets of a function; what is not set keeps its value, or the node's default.
struct function_options {
  std::optional<std::string> handler;
  std::optional<std::string> runtime;
  std::optional<uint32_t> memory_mb;
  std::optional<uint32_t> timeout_s;
  std::optional<std::map<std::string, std::string>> environment; ///< replaces all variables
  std::optional<uint32_t> ephemeral_storage_mb;
  std::optional<std::string> concurrency_max; ///< a number, or "none"
  std::optional<uint32_t> concurrency_reserved;
  std::optional<std::string> network; ///< "none" or "egress"
  std::optional<bool> idempotent;

  bool operator==(const function_options&) const = default;
  bool empty() const { return *this == function_options{}; }
};

/// What came of an invocation.
struct invoke_answer {
  std::string payload;
  bool has_failed = false; ///< the function did: the payload is {errorType, errorMessage, stackTrace}
  std::string log;         ///< the tail, when it was asked for
};

struct invoke_options {
  bool wants_log = false;
  std::string idempotency_key; ///< empty: none
};

/// The AWS Lambda API of a node, as far as the commands use it. A function's configuration stays the JSON document
/// that the API answers. Every call fails with unavailable without a node, and with the error that the node answers.
class lambda_api {
public:
  explicit lambda_api(http_client client) : client_{std::move(client)} {}

  /// CreateFunction; fails with function_exists.
  caf::expected<boost::json::object> create(std::string_view name, const function_options& options,
                                            std::string_view zip) const;
  caf::expected<boost::json::object> update_code(std::string_view name, std::string_view zip) const;
  caf::expected<boost::json::object> update_configuration(std::string_view name, const function_options& options) const;

  /// GetFunctionConfiguration; fails with function_not_found.
  caf::expected<boost::json::object> get(std::string_view name) const;

  /// ListFunctions, all pages.
  caf::expected<boost::json::array> list() const;
  caf::error remove(std::string_view name) const;

  /// Invoke, and waits for the answer.
  caf::expected<invoke_answer> invoke(std::string_view name, std::string event, const invoke_options& how) const;

private:
  http_client client_;
};

/// The error inside an answer that is not a success, or none.
caf::error error_of(const http_answer& answer);

/// The JSON object in a successful answer; `unavailable` when it holds something else.
caf::expected<boost::json::object> object_of(const caf::expected<http_answer>& answer);

/// The text of a field; empty when it is missing or no text.
std::string text_at(const boost::json::object& document, std::string_view field);

/// The number in a field; 0 when it is missing or no whole number.
int64_t number_at(const boost::json::object& document, std::string_view field);

} // namespace troupe::tools
