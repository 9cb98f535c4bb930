#pragma once

#include "handlers/sandbox/cgroups.hpp"
#include "handlers/sandbox/egress.hpp"
#include "handlers/sandbox/package_zygotes.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "handlers/sandbox/zygote_process.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace troupe::handlers {

inline egress_settings egress_settings_of(const factory_settings& settings) {
  return {settings.cgroup_name, settings.run_dir, settings.egress_range, settings.egress_denied};
}

/// The factory behind make_sandbox_factory. Every sandbox has a cell: its number (which is its range of user ids), its
/// group, and the keeper that its process lives under. Cells are kept ready, are in use, or are made on demand; and so
/// are blank sandboxes, processes in their cells that lack nothing but a function.
class zygote_factory final : public sandbox_factory {
public:
  /// `packages` may be loaded ahead, those in layers among them.
  zygote_factory(factory_settings settings, node_cgroup cgroup, package_set packages);
  ~zygote_factory() override;

  /// Starts the zygote and tries one sandbox, which shows what the machine does not allow.
  caf::error start();

  caf::expected<sandbox_process> launch(const sandbox_spec& spec) override;
  sandbox_death bury(sandbox_process process) override;
  void keep_blanks(bool wanted) override;
  preparation prepare_one() override;

private:
  struct cell {
    uint32_t slot = 0;
    sandbox_cgroup group;
    unique_fd birthplace; ///< this and `joins` are open while it is ready
    std::vector<unique_fd> joins;
    std::shared_ptr<keeper> guard;
    int pid = 0;
    uint64_t oom_kills_before = 0;
  };

  struct blank {
    cell place;
    unique_fd process; ///< a pidfd
    unique_fd events;  ///< the node's ends; those up to `log` are the function's later
    unique_fd answers;
    unique_fd log;
    unique_fd set_up;
  };

  std::string mount_point() const { return settings_.run_dir + "/root"; }
  caf::error try_a_sandbox();
  caf::error ensure_zygote();
  caf::error open_ways_in(cell& place) const;
  caf::expected<cell> make_cell();
  caf::expected<cell> take_cell();
  void take_back(cell used);
  void drop(cell unused);
  caf::expected<blank> make_blank();
  caf::expected<blank> make_blank_in(cell place, zygote_process& from);
  caf::expected<blank> take_blank(network reach);
  caf::expected<blank> take_for(const sandbox_spec& spec);
  caf::error ensure_egress();
  caf::expected<blank> connect(blank to);
  std::optional<blank> take_first(std::list<blank>& of);
  void discard_dead(blank dead);
  void discard_dead_blanks();
  caf::expected<preparation> try_to_prepare_one();
  void discard(blank unused);
  caf::error give(blank& to, const sandbox_spec& spec, int bundle);
  caf::error wait_for_set_up(const blank& child);
  sandbox_process hand_over(blank done);

  factory_settings settings_;
  node_cgroup cgroup_;
  std::unique_ptr<zygote_process> zygote_; ///< the bare one
  package_zygotes packages_;
  std::map<uint32_t, cell> live_; ///< by slot
  std::vector<cell> ready_;
  std::list<blank> blanks_;                ///< the oldest first
  std::list<blank> connected_;             ///< the same with a way out
  std::unique_ptr<egress_network> egress_; ///< once a function has asked for it
  bool blanks_wanted_ = true;
  std::vector<uint32_t> free_slots_; ///< the lowest last
};

} // namespace troupe::handlers
