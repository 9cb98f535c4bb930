#pragma once

#include "actors/cluster/messages.hpp"

#include <map>
#include <string>

namespace troupe {

struct roll_state {
  /// Declared, so that this is no aggregate: CAF would initialise one's first member with the actor's address.
  roll_state() = default;

  std::map<std::string, config::node_address> present; ///< by name
  std::map<std::string, config::node_address> gone;    ///< the same, at most limits::members_max

  static inline const char* name = "roll";
};

/// Runs cooperatively on the io thread. What it knows it has seen itself, so that it begins anew with its node.
roll_actor::behavior_type roll(roll_actor::stateful_pointer<roll_state> self);

} // namespace troupe
