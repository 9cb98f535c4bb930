#pragma once

#include "actors/messages.hpp"

#include <caf/expected.hpp>

#include <string>
#include <string_view>

/// What clients of the Lambda API send, read and checked: pure functions from documents to messages. All fail with
/// invalid_payload (not a JSON object), invalid_argument (a value out of bounds, or one that asks for what this node
/// has not) or payload_too_large (the archive). Members that AWS's model does not know are ignored, as AWS does.
namespace troupe::http {

struct create_input {
  function_config config; ///< without a tenant
  std::string zip;
};

/// CreateFunction. Role is optional here: it has no meaning on this node.
caf::expected<create_input> parse_create(std::string_view body);

/// UpdateFunctionConfiguration. Besides AWS's members it takes ours, as CreateFunction does: Network ("none" or
/// "egress"), MaximumConcurrency (a number or "none"), ReservedConcurrency and Idempotent (true or false).
caf::expected<function_change> parse_configuration(std::string_view body);

/// PutFunctionConcurrency: the number is both reserved and the maximum.
caf::expected<function_change> parse_concurrency(std::string_view body);

struct code_input {
  function_change change; ///< `zip` is set
  bool dry_run = false;
};

/// UpdateFunctionCode.
caf::expected<code_input> parse_code(std::string_view body);

/// The JSON inside an X-Amz-Client-Context field; fails with invalid_payload.
caf::expected<std::string> parse_client_context(std::string_view base64);

} // namespace troupe::http
