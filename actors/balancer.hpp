#pragma once

#include "actors/accounting.hpp"
#include "actors/cluster/messages.hpp"
#include "actors/messages.hpp"
#include "actors/policies.hpp"
#include "actors/remote_calls.hpp"
#include "actors/token_bucket.hpp"
#include "actors/worker_table.hpp"
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

/// What a balancer hears of its cluster: who is there, and from workers what becomes of invocations.
using balancer_inner =
  balancer_actor::extend<caf::reacts_to<atom::members, std::vector<member>>, caf::reacts_to<atom::announce, member>,
                         // To itself: time has passed.
                         caf::reacts_to<atom::tick>>::extend_with<dispatcher_actor>;

struct balancer_settings {
  worker_actor worker; ///< of this node; empty when it has none
  policy_kind policy = policy_kind::warm_first;
  std::map<std::string, config::tenant_settings> tenants;
  ledger_actor ledger = {}; ///< of this node
  accountant books = {};
};

struct balancer_state {
  struct known_function {
    function_ptr function;
    uint64_t round = 0; ///< in which the store has told of it last
  };

  /// Declared, so that this is no aggregate: CAF would initialise one's first member with the actor's address.
  balancer_state() = default;

  worker_actor worker;
  /// The view of the handler store: tenant, '\0', name. Complete, because the store tells of each change before
  /// whoever made it hears of it.
  string_map<known_function> functions;
  uint64_t round = 0;             ///< goes up when the store begins to tell all
  string_map<token_bucket> rates; ///< of the tenants that have a limit, by name
  std::string key;                ///< reused for each look-up
  ledger_actor ledger;            ///< takes the records of what is refused where there is no worker
  accountant books;

  // Of a node that is on its own all goes to `worker`, and these stay empty.
  bool clustered = false;
  worker_table table;
  policy choose{policy_kind::warm_first};
  random_source random{0};
  std::vector<worker_actor> workers; ///< by index
  remote_calls away;

  static inline const char* name = "balancer";
};

/// Runs cooperatively on the io thread. What a tenant asks for beyond its rate is refused before anything else is done
/// for it.
balancer_inner::behavior_type balancer(balancer_inner::stateful_pointer<balancer_state> self,
                                       balancer_settings settings);

} // namespace troupe
