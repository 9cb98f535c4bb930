#pragma once

#include "actors/balancer.hpp"

/// A balancer's part that knows of other nodes: which worker runs an invocation, and what becomes of it when that
/// worker's node is lost.
namespace troupe::routing {

using self_pointer = balancer_inner::stateful_pointer<balancer_state>;

/// The members of the cluster, or what they say of themselves, have changed.
void learn(self_pointer self, const std::vector<member>& all);

/// One of them has told its load.
void hear_load(self_pointer self, const member& who);

/// Hands the invocation to the worker that the policy chooses. When that drains, or its node is lost, another gets what
/// has not begun there, or may be run twice. Fails with unavailable when there is none, with node_lost when it may have
/// begun on a node that is lost, or as the worker does.
caf::result<outcome> dispatch(self_pointer self, invocation& call);

/// A worker tells whether the invocation of that ticket has begun.
void mark(self_pointer self, uint64_t ticket, bool begun);

/// The worker that says so has that many sandboxes left.
void count_remaining(self_pointer self, const uuid& revision, uint32_t sandboxes);

/// A worker asks whether this balancer is there, by that number.
void say_alive(self_pointer self, uint64_t number);

/// Answers those that a worker has not answered in time, and comes again.
void tick(self_pointer self);

} // namespace troupe::routing
