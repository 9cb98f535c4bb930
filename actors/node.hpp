#pragma once

#include "actors/cluster/gate.hpp"
#include "actors/io_loop.hpp"
#include "actors/worker.hpp"
#include "config/settings.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "storage/database.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

namespace troupe {

/// CAF's settings, all set in code: our scheduler, our message types, nothing read from files or arguments.
class node_config : public caf::actor_system_config {
public:
  /// `id` tells this start of the node from all others; nil when it is to meet none.
  node_config(io_loop& loop, const uuid& id, const config::settings& settings);
};

/// One node's actors: spawned here and nowhere else, stopped in order. Resources that block live behind detached
/// actors; everything of the warm path runs in `loop`.
class node {
public:
  /// Opens the database below `data_dir`, starts the zygote and spawns the actors. `factory` makes the sandboxes.
  /// Fails with already_running, storage_damaged, not_supported or io_error. Called before `loop` runs.
  static caf::expected<std::unique_ptr<node>> start(const config::settings& settings, io_loop& loop,
                                                    const std::filesystem::path& program_dir);

  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  caf::actor_system& system() noexcept { return system_; }
  const node_actors& actors() const noexcept { return actors_; }

  /// Empty when the node is on its own.
  const membership_inner& membership() const noexcept { return membership_; }

  /// `begin` is called on the io thread when somebody in the cluster wants this node to leave, and when somebody wants
  /// it sooner. It ends with a goodbye by `membership()`, and `stop`. Before `loop` runs.
  void on_leave(std::function<void(std::chrono::milliseconds patience)> begin) { begin_leaving_ = std::move(begin); }

  /// Ends the actors, after the worker's drain and with nobody else holding handles; runs `loop` while they end. Called
  /// on the io thread when `loop` does not run.
  void stop();

private:
  node(io_loop& loop, const config::settings& settings);
  node_config& spawnable(node_config& config);
  caf::error spawn_all(const std::filesystem::path& data_dir, std::shared_ptr<storage::database> db,
                       const std::filesystem::path& program_dir);
  caf::error spawn_store(const std::filesystem::path& bundles, const std::shared_ptr<storage::database>& db);
  void spawn_balancer();
  caf::error join_cluster();
  void wait_for_functions();

  io_loop& loop_;
  config::settings settings_;
  config::node_roles roles_;
  uuid id_; ///< of this start
  std::unique_ptr<cluster::gate> gate_;
  std::optional<worker_settings> parts_; ///< what a worker of this node is made of, if it may have one
  node_config config_;
  caf::actor_system system_;
  node_actors actors_;
  membership_inner membership_;
  std::function<void(std::chrono::milliseconds)> begin_leaving_;
  std::vector<cluster_follower> cluster_followers_;
  std::vector<caf::actor> detached_; ///< in the order in which they end
};

} // namespace troupe
