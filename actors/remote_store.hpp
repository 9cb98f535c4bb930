#pragma once

#include "actors/cluster/messages.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

namespace troupe {

/// What this actor hears besides what every handler store does.
using remote_store_actor = handler_store_actor::extend<caf::reacts_to<atom::members, std::vector<member>>,
                                                       caf::reacts_to<atom::announce, member>,
                                                       // To itself: some may have waited long enough.
                                                       caf::reacts_to<atom::tick>>;

struct remote_store_state {
  remote_store_state() = default;

  /// An archive on its way here.
  struct arrival {
    std::string zip;
    std::vector<caf::typed_response_promise<std::string>> waiting; ///< for the directory
    handler_store_actor source;                                    ///< is asked at the moment; empty: nobody has it
    std::vector<handler_store_actor> asked;                        ///< and have it not
    std::chrono::steady_clock::time_point until;                   ///< it waits for somebody to come who has it
  };

  std::filesystem::path bundles;          ///< where they lie unpacked, a directory a digest
  handler_store_actor store;              ///< empty while it cannot be reached
  std::vector<handler_store_actor> peers; ///< of other nodes: they may have bundles
  std::vector<balancer_actor> balancers;
  worker_actor worker; ///< of this node; empty while it has none
  std::map<digest, arrival> arrivals;
  std::map<uint64_t, caf::response_promise> questions; ///< that the store has not answered yet
  uint64_t last_question = 0;

  static inline const char* name = "remote-store";
};

/// On a node that does not keep functions, in the place of the handler store: it hands on what is asked to the node
/// that does, and keeps the bundles of this node's sandboxes, unpacked and as archives, which it gives to its like.
/// While the node that keeps the functions cannot be reached it fails with unavailable, what is unpacked goes on to
/// serve, and bundles come from peers; who needs one that nobody has waits for some seconds, in which a node is
/// restarted. Spawn detached: it unpacks archives.
remote_store_actor::behavior_type remote_store(remote_store_actor::stateful_pointer<remote_store_state> self,
                                               std::filesystem::path bundles);

} // namespace troupe
