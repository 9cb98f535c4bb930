#pragma once

#include "actors/messages.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troupe {

/// Hash that lets a map of strings be asked with string views.
struct string_hash : std::hash<std::string_view> {
  using is_transparent = void;
};

struct balancer_state {
  /// Declared, so that this is no aggregate: CAF would initialise one's first member with the actor's address.
  balancer_state() = default;

  worker_actor worker;
  /// The view of the handler store: tenant, '\0', name. Complete, because the store tells of each change before
  /// whoever made it hears of it.
  std::unordered_map<std::string, function_ptr, string_hash, std::equal_to<>> functions;
  std::string key; ///< reused for each look-up

  static inline const char* name = "balancer";
};

/// Runs cooperatively on the io thread.
balancer_actor::behavior_type balancer(balancer_actor::stateful_pointer<balancer_state> self, worker_actor worker);

} // namespace troupe
