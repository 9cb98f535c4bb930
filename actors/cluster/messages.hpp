#pragma once

#include "actors/messages.hpp"
#include "config/cluster.hpp"

#include <caf/all.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// What nodes tell each other of themselves.
namespace troupe {

/// One node of the cluster, in its own words. Handles that are empty: it has no such actor.
struct member {
  std::string name;
  uuid id; ///< of this start of it
  config::node_roles roles;
  config::node_address address; ///< where others dial it
  std::string version;          ///< of the program
  int64_t since_ns = 0;         ///< start, since the epoch
  uint32_t cores = 1;
  bool draining = false; ///< takes nothing new
  worker_status load;
  worker_actor worker;
  handler_store_actor store;
  handler_store_actor bundles; ///< who has bundles that its sandboxes have run: its store, or who stands in for it
  ledger_actor ledger;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, member& x) {
    return f(x.name, x.id, x.roles, x.address, x.version, x.since_ns, x.cores, x.draining, x.load, x.worker, x.store,
             x.bundles, x.ledger);
  }
};

/// Where a node was when somebody saw it.
struct acquaintance {
  std::string name;
  config::node_address address;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, acquaintance& x) {
    return f(x.name, x.address);
  }
};

/// What a tenant may use on each worker; 0: no limit.
struct tenant_terms {
  uint64_t memory_bytes = 0;
  uint32_t concurrency = 0;
  uint32_t weight = 1;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, tenant_terms& x) {
    return f(x.memory_bytes, x.concurrency, x.weight);
  }
};

/// What the cluster sets for all of its workers: they come from the configuration of the node that spawns them.
struct worker_terms {
  caf::timespan idle_timeout{};
  caf::timespan freeze_after{};
  caf::timespan template_after{};
  uint32_t queue_limit = 0;
  caf::timespan granularity{};
  std::string currency;
  uint64_t price_per_gb_second_pico = 0;
  uint64_t price_per_request_pico = 0;
  std::map<std::string, tenant_terms> tenants; ///< by name

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, worker_terms& x) {
    return f(x.idle_timeout, x.freeze_after, x.template_after, x.queue_limit, x.granularity, x.currency,
             x.price_per_gb_second_pico, x.price_per_request_pico, x.tenants);
  }
};

struct peer_link;
using peer_ptr = std::shared_ptr<peer_link>;

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::peer_ptr)

CAF_BEGIN_TYPE_ID_BLOCK(troupe_cluster, caf::id_block::troupe_handles::end)

  CAF_ADD_TYPE_ID(troupe_cluster, (troupe::config::node_roles))
  CAF_ADD_TYPE_ID(troupe_cluster, (troupe::config::node_address))
  CAF_ADD_TYPE_ID(troupe_cluster, (troupe::member))
  CAF_ADD_TYPE_ID(troupe_cluster, (troupe::acquaintance))
  CAF_ADD_TYPE_ID(troupe_cluster, (troupe::tenant_terms))
  CAF_ADD_TYPE_ID(troupe_cluster, (troupe::worker_terms))
  CAF_ADD_TYPE_ID(troupe_cluster, (std::vector<troupe::member>))
  CAF_ADD_TYPE_ID(troupe_cluster, (std::vector<troupe::acquaintance>))

CAF_END_TYPE_ID_BLOCK(troupe_cluster)

namespace troupe::atom {

using join = caf::atom_constant<caf::atom("join")>;
using announce = caf::atom_constant<caf::atom("announce")>;
using members = caf::atom_constant<caf::atom("members")>;
using spawned = caf::atom_constant<caf::atom("spawned")>;
using leave = caf::atom_constant<caf::atom("leave")>;
using goodbye = caf::atom_constant<caf::atom("goodbye")>;

} // namespace troupe::atom

namespace troupe {

/// Who wants to know who is there.
using cluster_follower = caf::typed_actor<
  // All members, this node first: after each change of who is there, and of what it does.
  caf::reacts_to<atom::members, std::vector<member>>,
  // One of them has told its load. Nothing else of it is new.
  caf::reacts_to<atom::announce, member>>;

/// One a node: knows all others. Its view is complete when it says so: every member is linked with every other.
using membership_actor = caf::typed_actor<
  // From another node's: what it is, and whom it knows.
  caf::reacts_to<atom::announce, member, std::vector<acquaintance>>,
  // All members, this node first.
  caf::replies_to<atom::members>::with<std::vector<member>>,
  // That node, which may be this one, takes nothing new, finishes what runs there, and leaves. Another one has left
  // when this is answered; this one has finished then, and leaves now. Fails with invalid_argument when there is none
  // of that name, with node_lost when it was lost before it had finished.
  caf::replies_to<atom::drain, std::string, caf::timespan>::with<caf::unit_t>,
  // From another node's: it takes nothing new. Those here who send it invocations have been told before the answer.
  caf::replies_to<atom::retire>::with<caf::unit_t>,
  // From another node's: it has finished, all that ran there has been answered, and its process ends.
  caf::replies_to<atom::goodbye>::with<caf::unit_t>>;

/// What a membership hears from its own node.
using membership_inner = membership_actor::extend<
  // From the door: a node has been let in.
  caf::reacts_to<atom::join, peer_ptr>,
  // A node that was dialled there has been linked with.
  caf::reacts_to<atom::join, config::node_address, membership_actor>,
  // From the door: an address that was dialled has not let this node in.
  caf::reacts_to<atom::refuse, config::node_address>,
  // From the door: that node waits to be dialled, at that address.
  caf::reacts_to<atom::again, acquaintance>,
  // From now on it is told who is there.
  caf::reacts_to<atom::follow, cluster_follower>,
  // This node's worker, which another node has spawned.
  caf::reacts_to<atom::spawned, worker_actor>,
  // This node is going to leave: all others hear that it takes nothing new. Answers once they have, and says whether
  // another one serves HTTP.
  caf::replies_to<atom::leave>::with<bool>,
  // Then: this node's worker finishes. Answers once nothing runs; before, those are answered who wanted the node to
  // leave.
  caf::replies_to<atom::drain, caf::timespan>::with<caf::unit_t>,
  // At last: goodbye to all others. Answers once they have heard it, or when they have had the time to.
  caf::replies_to<atom::goodbye, caf::timespan>::with<caf::unit_t>,
  // To itself: time has passed.
  caf::reacts_to<atom::tick>>;

/// Remembers who has been there. One a node that meets others.
using roll_actor = caf::typed_actor<
  // From the membership.
  caf::reacts_to<atom::members, std::vector<member>>, caf::reacts_to<atom::announce, member>,
  // The nodes that were members since this one started and are none now, by name.
  caf::replies_to<atom::list>::with<std::vector<acquaintance>>>;

/// The actors that HTTP speaks with. Handles may be empty: a node has only what its roles ask for.
struct node_actors {
  balancer_actor balancer;
  worker_actor worker;
  handler_store_actor store; ///< or who stands for that of another node
  ledger_actor ledger;
  membership_actor membership; ///< empty when the node is on its own
  roll_actor roll;             ///< the same
};

} // namespace troupe
