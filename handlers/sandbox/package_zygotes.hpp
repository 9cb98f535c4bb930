#pragma once

#include "handlers/bundle/bundle_imports.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "handlers/sandbox/zygote_process.hpp"
#include "handlers/sandbox/zygote_tree.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::handlers {

/// The zygotes that have packages loaded: the processes for what zygote_tree decides. Owned by the factory, used by its
/// thread; blocks no longer than the factory itself, since a zygote imports while others launch.
class package_zygotes {
public:
  struct options {
    package_set packages;      ///< that may be loaded ahead
    uint64_t memory_bytes = 0; ///< of all such zygotes; 0: there are none
    std::chrono::milliseconds import_time = limits::package_import_max;
  };

  explicit package_zygotes(options settings) : settings_{std::move(settings)}, tree_{settings_.memory_bytes} {}

  /// Where to clone a sandbox from that nothing is to be imported for again; nullptr: from the bare zygote, as all that
  /// import nothing known, or nothing often enough.
  zygote_process* choose(const sandbox_spec& spec);

  /// Does the next thing that is to be done while nothing else waits. `bare` is the root of the tree.
  preparation tend(zygote_process& bare);

  size_t count() const noexcept { return alive_.size(); }
  uint64_t memory_used() const { return tree_.memory_used(); }

  /// Whether it is one of them, or the keeper that it lives under.
  bool knows(int pid) const;

  /// Ends them all.
  void clear();

private:
  struct growing {
    zygote_tree::id number;
    std::unique_ptr<zygote_process> process;
    std::chrono::steady_clock::time_point since;
  };

  bool off() const { return settings_.memory_bytes == 0 || settings_.packages.empty(); }
  const bundle_imports& imports_of(const sandbox_spec& spec);
  void settle();
  growing stop_growing();
  void judge(growing done, growth_report report);
  void give_up(growing failed, const std::string& culprit, const std::string& reason);
  bool start_next(zygote_process& bare);
  void bury_the_dead();
  void let_go(zygote_tree::id which);
  std::string text_of(zygote_tree::id which) const;

  options settings_;
  zygote_tree tree_;
  std::map<zygote_tree::id, std::unique_ptr<zygote_process>> alive_;
  std::optional<growing> growing_;
  std::chrono::steady_clock::time_point rests_until_; ///< no other is made before
  std::map<std::string, bundle_imports> known_;       ///< by bundle and module
  std::deque<std::string> order_;                     ///< of their arrival
  size_t names_ = 0;                                  ///< in all of them
};

} // namespace troupe::handlers
