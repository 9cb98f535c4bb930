#pragma once

#include "http/node_context.hpp"

/// What operators and browsers ask of a node.
namespace troupe::http {

task<void> preflight(node_context& node, exchange& x); ///< OPTIONS: 204 and the CORS fields
task<void> index(node_context& node, exchange& x);     ///< what this is, and where things are
task<void> health(node_context& node, exchange& x);    ///< 200 while the process lives
task<void> readiness(node_context& node, exchange& x); ///< 200 when it takes invocations, else 503
task<void> metrics(node_context& node, exchange& x);

} // namespace troupe::http
