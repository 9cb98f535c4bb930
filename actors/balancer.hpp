#pragma once

#include "actors/messages.hpp"
#include "actors/token_bucket.hpp"
#include "config/settings.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

namespace troupe {

/// Hash that lets a map of strings be asked with string views.
struct string_hash : std::hash<std::string_view> {
  using is_transparent = void;
};

template <class T>
using string_map = std::unordered_map<std::string, T, string_hash, std::equal_to<>>;

struct balancer_state {
  /// Declared, so that this is no aggregate: CAF would initialise one's first member with the actor's address.
  balancer_state() = default;

  worker_actor worker;
  /// The view of the handler store: tenant, '\0', name. Complete, because the store tells of each change before
  /// whoever made it hears of it.
  string_map<function_ptr> functions;
  string_map<token_bucket> rates; ///< of the tenants that have a limit, by name
  std::string key;                ///< reused for each look-up

  static inline const char* name = "balancer";
};

/// Runs cooperatively on the io thread. What a tenant asks for beyond its rate is refused before anything else is done
/// for it.
balancer_actor::behavior_type balancer(balancer_actor::stateful_pointer<balancer_state> self, worker_actor worker,
                                       const std::map<std::string, config::tenant_settings>& tenants);

} // namespace troupe
