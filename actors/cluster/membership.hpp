#pragma once

#include "actors/cluster/address_book.hpp"
#include "actors/cluster/link.hpp"
#include "actors/cluster/messages.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace troupe {

/// What the door has to know of a node that is there.
struct presence {
  uuid id;
  config::node_roles roles;
};

struct membership_settings {
  member self; ///< with the handles of this node's actors
  std::vector<config::node_address> seeds;
  worker_terms terms; ///< for workers that this node spawns
  /// Makes a link of what the door has let in; where it was dialled, the answer is a message.
  std::function<void(const peer_ptr&)> link;
  /// The start of a node that an actor belongs to.
  std::function<uuid(const caf::strong_actor_ptr&)> start_of;
  caf::actor spawner; ///< of actors on other nodes: CAF's middleman
  /// Asks the door to dial; the answer is a message. Must not block.
  std::function<void(const config::node_address&)> dial;
  /// Tells the door who is there, so that it can turn away their doubles.
  std::function<void(const std::map<std::string, presence>&)> admit;
  /// Closes the door for good: nobody comes in any more.
  std::function<void()> close;
  /// The node has taken this worker, which another node has spawned, for its own.
  std::function<void(const worker_actor&)> adopted;
  /// Somebody wants this node to leave: begins what ends with `goodbye`, and with the process. May be called again.
  std::function<void(caf::timespan patience)> leave;
};

struct membership_state {
  struct peer {
    membership_actor membership;
    member what;
    /// Its worker has been ordered by this node: by then it has announced it, or gets another one.
    std::chrono::steady_clock::time_point spawning_until{};
    bool left = false; ///< it has said goodbye, and its link is not down yet
    std::vector<caf::typed_response_promise<caf::unit_t>> awaiting_leave = {}; ///< who wanted it to leave
  };

  /// Whom the door has let in, and when: the only one who may announce itself under that name.
  struct guest {
    peer_ptr who;
    std::chrono::steady_clock::time_point since;
    bool warned = false; ///< that it announced itself as another
  };

  membership_state() = default;

  membership_settings settings;
  worker_actor worker;               ///< of this node; others hear of it with its first load
  std::map<std::string, peer> peers; ///< by name
  std::map<uuid, guest> guests;      ///< by the start of the node
  address_book addresses;
  std::vector<cluster_follower> followers;
  std::string told_last; ///< the node that has been told last whom this one knows

  // Of this node's own end.
  bool finishing = false; ///< its worker takes nothing new, from its own balancer neither
  bool finished = false;  ///< and nothing runs there any more
  bool gone = false;      ///< goodbye has been said: nobody is told anything any more
  std::vector<caf::typed_response_promise<caf::unit_t>> awaiting_finish; ///< who wanted this node to leave

  static inline const char* name = "membership";
};

/// Runs cooperatively on the io thread; published to the other nodes.
///
/// Each tells all others of itself as soon as something has changed, and at every tick, so that what it knows of others
/// is what they have said; of third nodes it hears names and addresses only, and gets to know them by a link. Who a
/// node is and what it is for, its hello has said, and nothing that it announces changes that.
membership_inner::behavior_type membership(membership_inner::stateful_pointer<membership_state> self,
                                           membership_settings settings);

} // namespace troupe
