#pragma once

#include "actors/sandbox.hpp"
#include "actors/waiting_calls.hpp"

#include <deque>
#include <filesystem>
#include <map>
#include <unordered_map>

namespace troupe {

struct worker_settings {
  io_loop* loop = nullptr; ///< of the io thread
  handler_store_actor store;
  launcher_actor launcher;
  ledger_actor ledger;
  accountant books;
  std::shared_ptr<const handlers::factory_gauges> ahead; ///< of the launcher's factory; null: it tells nothing
  pool_settings pool;
  std::filesystem::path bundles; ///< where the store unpacks them; each is there whole or not at all
  std::chrono::milliseconds idle_timeout{600'000};
  std::chrono::milliseconds freeze_after{10};
  std::chrono::milliseconds flush_interval{100}; ///< how long a record may wait here; 0: none waits
  /// How long after its last sign of life a balancer's invocations are begun. Shorter than the time after which that
  /// takes this node for lost, so that it may give them to others then.
  std::chrono::milliseconds silence_max{1000};
};

struct worker_state {
  /// What the worker knows of a revision as long as it has sandboxes or waiting invocations.
  struct revision {
    function_ptr function;
    std::string bundle_dir;                                               ///< empty until it is known to be there
    std::optional<std::chrono::steady_clock::time_point> set_up_failed{}; ///< a sandbox of it, and none has been since
  };

  /// A sandbox's actor and its process; empty while it is starting or vacant.
  struct member {
    sandbox_inner actor;
    process_ptr process;
  };

  /// A balancer, and until when its invocations may be begun unless it is heard again.
  struct follower {
    dispatcher_actor handle;
    std::chrono::steady_clock::time_point heard_until;
  };

  worker_settings settings;
  sandbox_pool pool;
  waiting_calls waiting;
  std::unordered_map<uuid, revision> revisions;
  std::unordered_map<uuid, digest> retired; ///< revisions whose bundle may go once their last sandbox has gone
  std::vector<member> sandboxes;            ///< by slot
  std::vector<usage_record> records;        ///< not yet with the ledger
  /// What its sandboxes tell balancers with each outcome.
  std::shared_ptr<worker_load> load = std::make_shared<worker_load>();
  uint64_t expected_tick = 0; ///< the number of the one that counts
  std::chrono::steady_clock::time_point next_tick = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point next_sweep{};
  /// Functions that sandboxes are kept for (tenant, name), and the round in which the store has told of them last.
  std::map<std::pair<std::string, std::string>, uint64_t> reserved;
  uint64_t round = 0;              ///< goes up when the store begins to tell all
  std::vector<follower> followers; ///< balancers that send invocations with tickets
  bool asks_for_life = false;      ///< there are such, and they are asked from time to time
  bool draining = false;
  std::chrono::steady_clock::time_point drain_until = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point flush_due;
  std::vector<caf::typed_response_promise<caf::unit_t>> drained; ///< who waits for the drain's end

  static inline const char* name = "worker";
};

/// Runs cooperatively on the io thread. Decisions are sandbox_pool's; this actor carries them out.
worker_inner::behavior_type worker(worker_inner::stateful_pointer<worker_state> self, worker_settings settings);

} // namespace troupe
