#pragma once

#include "http/node_context.hpp"

namespace troupe::http {

/// An invocation of the tenant's function of that name, with the request's body as its event (none: `{}`). The body
/// moves out of the request.
invocation make_invocation(exchange& x, std::string name, trigger_kind trigger);

/// Runs it; fails as the balancer and the worker do.
task<caf::expected<outcome>> invoke(node_context& node, invocation call);

/// GET, POST /run/{name} and /runLambda/{name}: the handler's answer as it is with 200; its failure as an error
/// document with 500, or 504 when it ran past its timeout.
task<void> run_function(node_context& node, exchange& x);

} // namespace troupe::http
