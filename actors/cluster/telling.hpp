#pragma once

#include "actors/cluster/membership.hpp"

/// A membership's part that tells: other nodes of this one, this node's actors and its door of the others.
namespace troupe::member_parts {

using self_pointer = membership_inner::stateful_pointer<membership_state>;

/// All other nodes hear of this one; nobody any more after goodbye. `of` is whom else they are told of.
void tell_all(self_pointer self, const std::vector<acquaintance>& of = {});

/// The same at a tick: one of them, in turn, hears also whom this node knows, in case it has missed somebody.
void tell_again(self_pointer self);

/// One node hears of this one and of all that it knows.
void introduce(self_pointer self, const membership_actor& to);

/// This node first: as people are shown them.
std::vector<member> members(const membership_state& st);

/// As those who send invocations have to see them. This node's own worker goes on until it finishes, after the last
/// request. One that has said goodbye stays until its link is down: it still refuses what was on its way, and that can
/// go elsewhere.
std::vector<member> reachable_members(const membership_state& st);

/// Who is there has changed, or what they do.
void tell_followers(self_pointer self);

/// Only a load has: that of `who`.
void tell_load(self_pointer self, const member& who);

/// The set of names has changed.
void tell_door(const membership_state& st);

} // namespace troupe::member_parts
