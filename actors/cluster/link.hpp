#pragma once

#include "actors/cluster/messages.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/io/all.hpp>

/// From a descriptor that the door has let in to a link of CAF's: it goes straight to CAF's broker, and no port of
/// CAF's own is ever opened.
namespace troupe {

/// A connection to a node that has shown who it is.
struct peer_link {
  std::string name;
  uuid id;
  config::node_address address; ///< where it is dialled
  unique_fd socket;
  bool dialled = false; ///< by this node
};

namespace cluster {

/// What each node publishes one actor under, its membership.
inline constexpr uint16_t published_port = 1;

/// The actor that speaks CAF's protocol with all other nodes.
caf::actor broker_of(caf::actor_system& system);

/// The link's socket as the broker takes it. Once for each link.
caf::io::scribe_ptr make_scribe(caf::actor_system& system, peer_link& link);

/// The accepting side of a link: whoever dialled is given `published`.
void accept_link(caf::actor_system& system, peer_link& link, const membership_actor& published);

} // namespace cluster
} // namespace troupe
