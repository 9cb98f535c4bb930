#pragma once

#include "actors/messages.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"

#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace troupe {

/// A sandbox process on its way between launcher and sandbox actor: owned by whoever holds it last.
using process_ptr = std::shared_ptr<handlers::sandbox_process>;

} // namespace troupe

// These hold descriptors and never leave the node.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::process_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::handlers::sandbox_spec)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::handlers::sandbox_death)

namespace troupe {

/// Makes and buries sandbox processes. Forks, mounts and waits block, so this is a detached actor; local to its node.
using launcher_actor = caf::typed_actor<
  // A new process, which reports on its channel once its handler is loaded; fails with sandbox_failed. Copies of a
  // template are made one after another, and others' launches do not wait for them.
  caf::replies_to<atom::launch, handlers::sandbox_spec>::with<process_ptr>,
  // Why a template that has loaded its handler cannot be copied; empty when it can.
  caf::replies_to<atom::examine, process_ptr>::with<std::string>,
  // Kills what is left of it, frees what it held, and tells how it ended.
  caf::replies_to<atom::bury, process_ptr>::with<handlers::sandbox_death>,
  // Blank sandboxes are to be kept ready, or to go: their memory is wanted.
  caf::reacts_to<atom::prepare, bool>,
  // To itself, while nothing else waits: prepares for the next launches.
  caf::reacts_to<atom::prepare>,
  // To itself: looks at the copies that templates are making.
  caf::reacts_to<atom::tick>>;

/// What a sandbox of that function is made of.
handlers::sandbox_spec spec_of(const function_version& function, std::string bundle_dir);

/// The copies that are wanted of one template. It makes the first, if that is `under_way`.
struct copy_orders {
  struct order {
    handlers::sandbox_spec spec;
    caf::typed_response_promise<process_ptr> promise;
  };
  std::deque<order> waiting;
  std::optional<handlers::unfinished_launch> under_way;
};

struct launcher_state {
  std::shared_ptr<handlers::sandbox_factory> factory;
  std::map<uint32_t, copy_orders> copies;                          ///< by the template's slot; none is empty
  bool ticking = false;                                            ///< a tick is under way
  bool preparing = false;                                          ///< a prepare message is under way
  std::chrono::steady_clock::time_point quiet_from;                ///< from then on, parts may be prepared
  std::shared_ptr<const void> starting = std::make_shared<char>(); ///< held by all that are not ready yet
  std::chrono::steady_clock::time_point prepared;                  ///< the latest part, or the first that waited
  static inline const char* name = "launcher";
};

/// Spawn detached.
launcher_actor::behavior_type launcher(launcher_actor::stateful_pointer<launcher_state> self,
                                       std::shared_ptr<handlers::sandbox_factory> factory);

} // namespace troupe
