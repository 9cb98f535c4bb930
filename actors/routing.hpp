#pragma once

#include "actors/balancer.hpp"

/// A balancer's part that knows of other nodes: which worker runs an invocation, and what becomes of it when that
/// worker's node is lost.
namespace troupe::routing {

using self_pointer = balancer_inner::stateful_pointer<balancer_state>;

/// The members of the cluster, or what they say of themselves, have changed.
void learn(self_pointer self, const std::vector<member>& all);

/// Hands the invocation to the worker that the policy chooses. One that drains meanwhile says so, and another is asked.
/// Fails with unavailable when there is none, with node_lost when its node is lost, or as the worker does.
caf::result<outcome> dispatch(self_pointer self, invocation& call);

} // namespace troupe::routing
