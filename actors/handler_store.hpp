#pragma once

#include "actors/messages.hpp"
#include "storage/function_store.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <utility>

namespace troupe {

struct handler_store_state {
  std::optional<storage::function_store> store;
  std::filesystem::path bundles; ///< where bundles lie unpacked, a directory a digest
  std::map<std::pair<std::string, std::string>, function_ptr> functions; ///< by tenant and name: all there are
  std::vector<balancer_actor> balancers;
  std::vector<worker_actor> workers;
  std::pair<digest, std::string> served; ///< the archive that parts were asked of last
  uint32_t reservable = 0;               ///< sandboxes that functions may keep for themselves, all together

  static inline const char* name = "handler-store";
};

/// Of a node with so many sandboxes a tenth stays for functions that have none reserved, and at least one.
uint32_t reservable_of(uint32_t sandboxes_max) noexcept;

/// Spawn detached: it writes the database and unpacks archives. `functions` is what the store holds at the start; what
/// these have reserved stays, even when it is more than `reservable`.
handler_store_actor::behavior_type handler_store(handler_store_actor::stateful_pointer<handler_store_state> self,
                                                 std::shared_ptr<storage::database> db,
                                                 std::vector<function_version> functions, std::filesystem::path bundles,
                                                 uint32_t reservable);

/// Removes what is not the unpacked bundle of one of `functions`: left by a node that was killed. To be called before
/// the store starts.
caf::error remove_stray_bundles(const std::filesystem::path& bundles, const std::vector<function_version>& functions);

} // namespace troupe
