#pragma once

#include "actors/cluster/link.hpp"
#include "actors/cluster/messages.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>

namespace troupe {

/// What a membership hears from its own node.
using membership_inner = membership_actor::extend<
  // From the door: a node has been let in.
  caf::reacts_to<atom::join, peer_ptr>,
  // From the door: an address that was dialled has not let this node in.
  caf::reacts_to<atom::refuse, config::node_address>,
  // From the door: that node waits to be dialled, at that address.
  caf::reacts_to<atom::again, acquaintance>,
  // From now on it is told who is there.
  caf::reacts_to<atom::follow, cluster_follower>,
  // This node's worker, which another node has spawned.
  caf::reacts_to<atom::spawned, worker_actor>,
  // This node is going to leave: all others hear that it takes nothing new. Answers once they have, and says whether
  // another one serves HTTP.
  caf::replies_to<atom::leave>::with<bool>,
  // Then: this node's worker finishes. Answers once nothing runs; before, those are answered who wanted the node to
  // leave.
  caf::replies_to<atom::drain, caf::timespan>::with<caf::unit_t>,
  // At last: goodbye to all others. Answers once they have heard it, or when they have had the time to.
  caf::replies_to<atom::goodbye, caf::timespan>::with<caf::unit_t>,
  // To itself: time has passed.
  caf::reacts_to<atom::tick>>;

struct membership_settings {
  member self; ///< with the handles of this node's actors
  std::vector<config::node_address> seeds;
  worker_terms terms; ///< for workers that this node spawns
  /// Asks the door to dial; the answer is a message. Must not block.
  std::function<void(const config::node_address&)> dial;
  /// Tells the door who is there, so that it can turn away their doubles.
  std::function<void(const std::map<std::string, uuid>&)> admit;
  /// Closes the door for good: nobody comes in any more.
  std::function<void()> close;
  /// Somebody wants this node to leave: begins what ends with `goodbye`, and with the process. May be called again.
  std::function<void(caf::timespan patience)> leave;
};

/// An address that this node tries to reach, with growing pauses.
struct dialling {
  std::string name; ///< empty: not known yet, as of a seed
  std::chrono::steady_clock::time_point next{};
  std::chrono::milliseconds pause{};
  uint32_t failed = 0; ///< tries in a row
  bool under_way = false;
};

struct membership_state {
  struct peer {
    membership_actor membership;
    member what;
    bool spawning = false; ///< its worker, by this node
    bool left = false;     ///< it has said goodbye, and its link is not down yet
    std::vector<caf::typed_response_promise<caf::unit_t>> awaiting_leave = {}; ///< who wanted it to leave
  };

  membership_state() = default;

  membership_settings settings;
  std::map<std::string, peer> peers; ///< by name
  std::map<config::node_address, dialling> addresses;
  std::vector<cluster_follower> followers;

  // Of this node's own end.
  bool finishing = false; ///< its worker takes nothing new, from its own balancer neither
  bool finished = false;  ///< and nothing runs there any more
  bool gone = false;      ///< goodbye has been said: nobody is told anything any more
  std::vector<caf::typed_response_promise<caf::unit_t>> awaiting_finish; ///< who wanted this node to leave

  static inline const char* name = "membership";
};

/// Runs cooperatively on the io thread; published to the other nodes.
///
/// Of two nodes the one whose name comes first dials. Each tells all others of itself as soon as something has changed,
/// and at every tick, so that what it knows of others is what they have said; of third nodes it hears names and
/// addresses only, and gets to know them by a link.
membership_inner::behavior_type membership(membership_inner::stateful_pointer<membership_state> self,
                                           membership_settings settings);

} // namespace troupe
