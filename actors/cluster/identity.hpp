#pragma once

#include "config/ids.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/node_id.hpp>

namespace troupe::cluster {

/// Gives a node's actor system an id of its own for each start. CAF's own ids are made of the machine's addresses and
/// the process id: two nodes in PID namespaces of one network would be taken for one, and a restarted node for the one
/// that has died. Before the system is made.
void set_identity(caf::actor_system_config& config, const uuid& id);

/// Which start of a node it is; nil when the id is none of ours.
uuid start_of(const caf::node_id& node);

} // namespace troupe::cluster
