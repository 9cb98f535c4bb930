#pragma once

#include "actors/cluster/messages.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <vector>

namespace troupe {

/// What this actor hears besides what every handler store does.
using remote_store_actor = handler_store_actor::extend<caf::reacts_to<atom::members, std::vector<member>>,
                                                       // To itself: some may have waited long enough.
                                                       caf::reacts_to<atom::tick>>;

struct remote_store_state {
  remote_store_state() = default;

  /// An archive on its way here.
  struct arrival {
    std::string zip;
    std::vector<caf::typed_response_promise<std::string>> waiting; ///< for the directory
    std::chrono::steady_clock::time_point until; ///< it waits for a store to come, while there is none
  };

  std::filesystem::path bundles; ///< where they lie unpacked, a directory a digest
  handler_store_actor store;     ///< empty while it cannot be reached
  std::vector<balancer_actor> balancers;
  std::vector<worker_actor> workers;
  std::map<digest, arrival> arrivals;

  static inline const char* name = "remote-store";
};

/// On a node that does not keep functions, in the place of the handler store: it hands on what is asked to the node
/// that does, and keeps the bundles of this node's sandboxes unpacked. While that node cannot be reached it fails with
/// unavailable, and what is unpacked goes on to serve; who needs a bundle that is not there waits for some seconds, in
/// which a node is restarted. Spawn detached: it unpacks archives.
remote_store_actor::behavior_type remote_store(remote_store_actor::stateful_pointer<remote_store_state> self,
                                               std::filesystem::path bundles);

} // namespace troupe
