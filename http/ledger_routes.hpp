#pragma once

#include "http/node_context.hpp"

/// Records and sums of the whole cluster, or with scope=node of this node. What a client has been answered is in them:
/// the workers hand their records over first. The answers say of each node whether its part is in them.
namespace troupe::http {

task<void> list_invocations(node_context& node, exchange& x);
task<void> list_usage(node_context& node, exchange& x);
task<void> verify_usage(node_context& node, exchange& x);

} // namespace troupe::http
