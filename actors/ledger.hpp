#pragma once

#include "actors/messages.hpp"
#include "storage/ledger_store.hpp"

#include <map>
#include <optional>
#include <utility>

namespace troupe {

struct ledger_state {
  struct metered {
    function_metrics metrics;
    uint64_t latest = 0; ///< number of the latest of its records
  };

  std::optional<storage::ledger_store> store;
  std::shared_ptr<storage::database> db;
  std::map<std::pair<std::string, std::string>, metered> functions; ///< by tenant and name
  uint64_t observed = 0;                                            ///< records
  bool syncing = false;                                             ///< a tick that syncs what was written is under way

  static inline const char* name = "ledger";
};

/// What a ledger tells itself.
using ledger_inner = ledger_actor::extend<
  // Time to make what was written survive a power cut.
  caf::reacts_to<atom::tick>>;

/// Spawn detached: it writes and reads the database.
ledger_inner::behavior_type ledger(ledger_inner::stateful_pointer<ledger_state> self,
                                   std::shared_ptr<storage::database> db);

} // namespace troupe
