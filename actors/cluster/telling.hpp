#pragma once

#include "actors/cluster/membership.hpp"

/// A membership's part that tells: other nodes of this one, this node's actors and its door of the others.
namespace troupe::member_parts {

using self_pointer = membership_inner::stateful_pointer<membership_state>;

/// All other nodes hear of this one, and whom it knows; nobody any more after goodbye.
void tell_all(self_pointer self);

/// This node first: as people are shown them.
std::vector<member> members(const membership_state& st);

/// As those who send invocations have to see them. This node's own worker goes on until it finishes, after the last
/// request. One that has said goodbye stays until its link is down: it still refuses what was on its way, and that can
/// go elsewhere.
std::vector<member> reachable_members(const membership_state& st);

void tell_followers(self_pointer self);

/// Whom this node knows by a link.
std::vector<acquaintance> acquaintances(const membership_state& st);

/// The set of names has changed.
void tell_door(const membership_state& st);

} // namespace troupe::member_parts
