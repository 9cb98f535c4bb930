#pragma once

#include "actors/cluster/messages.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <sys/socket.h>

#include <optional>
#include <string>

/// From a descriptor that the door has let in to a link of CAF's: it goes straight to CAF's broker, and no port of
/// CAF's own is ever opened.
namespace troupe {

/// A connection to a node that has shown who it is.
struct peer_link {
  std::string name;
  uuid id;
  config::node_roles roles;
  std::string version;
  config::node_address address; ///< where others dial it
  unique_fd socket;
  std::optional<config::node_address> dialled_at; ///< by this node
  unique_fd guard;                                ///< of a socket that CAF has: what `cut` needs

  /// Ends the link, whoever has the socket. A node that has announced itself is not cut, and needs no guard.
  void cut() const noexcept { ::shutdown(guard.get(), SHUT_RDWR); }
};

namespace cluster {

/// What each node publishes one actor under, its membership.
inline constexpr uint16_t published_port = 1;

/// Makes it a link of CAF's. The side that accepted it publishes `mine` to the other; the one that dialled sends `mine`
/// the other's membership, or that nobody could be reached there.
void make_link(caf::actor_system& system, peer_link& link, const membership_inner& mine);

/// Ends CAF's store of settings, which no node needs and any could fill with whatever it likes.
void close_side_doors(caf::actor_system& system);

} // namespace cluster
} // namespace troupe
