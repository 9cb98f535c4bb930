#pragma once

#include "config/cluster.hpp"
#include "http/node_context.hpp"

/// What a node of a cluster does about requests that come before it knows the others.
namespace troupe::http {

/// What this node's worker has. Where it has none it is ready when another node's takes invocations.
task<caf::expected<worker_status>> ask_worker(node_context& node);

/// From now on invocations wait, at most for a few seconds: a node that was restarted knows neither functions nor
/// workers for a moment, and would refuse what all others take. Before the server starts; `meet_cluster` ends it.
void hold_invocations(boost::asio::io_context& io, node_context& node);

/// Looks until the node knows the cluster's functions and a worker that takes invocations.
task<void> meet_cluster(boost::asio::io_context& io, node_context& node, config::node_roles roles);

/// Waits for that.
task<void> await_start(node_context& node);

} // namespace troupe::http
