#pragma once

#include "http/node_context.hpp"

/// The AWS Lambda API (version 2015-03-31): an endpoint, a function. What they mean stands in AWS's reference; what
/// this node has not is refused with InvalidParameterValue, in http/lambda_input.cpp.
namespace troupe::http {

task<void> invoke_function(node_context& node, exchange& x);
task<void> list_functions(node_context& node, exchange& x);
task<void> create_function(node_context& node, exchange& x);
task<void> get_function(node_context& node, exchange& x);
task<void> delete_function(node_context& node, exchange& x);
task<void> get_configuration(node_context& node, exchange& x);
task<void> put_configuration(node_context& node, exchange& x);
task<void> put_code(node_context& node, exchange& x);

/// Put, get, delete of what the API calls reserved concurrency: it both reserves and bounds. Put sets both, 0 stops the
/// function; what the configuration sets of one alone is shown only as far as this API has words for it.
task<void> put_concurrency(node_context& node, exchange& x);
task<void> get_concurrency(node_context& node, exchange& x);
task<void> delete_concurrency(node_context& node, exchange& x);

/// GET /v1/bundles/{digest}: the archive that GetFunction's Code.Location points at.
task<void> get_bundle(node_context& node, exchange& x);

} // namespace troupe::http
