#pragma once

#include "http/node_context.hpp"

/// What operators ask of a cluster, through any node of it that serves HTTP.
namespace troupe::http {

/// {"members": [..]}: what each node says of itself, this one first; empty for a node on its own.
task<void> list_members(node_context& node, exchange& x);

/// The node takes nothing new, and what runs there may finish; answers once nothing runs there.
task<void> drain_member(node_context& node, exchange& x);

} // namespace troupe::http
