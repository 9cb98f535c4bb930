#pragma once

#include "tests/handlers/sandbox_bed.hpp"

#include <algorithm>
#include <list>
#include <string>

/// What the suites about templates share: one template at a time, and copies of it.
namespace sandbox_bed {

using troupe::handlers::sandbox_role;

/// A runner that notes when it was loaded.
inline const std::string noting = "import os\nmark = os.urandom(8).hex()\n" + std::string{runner};

struct templates : open_bed {
  ~templates() {
    for (auto& process : processes)
      factory->bury(std::move(process));
  }

  /// A template of the bundle, with its handler loaded.
  sandbox_process& load(sandbox_spec what) {
    what.role = sandbox_role::its_template;
    of = what;
    of.role = sandbox_role::sandbox;
    return take(launch(what));
  }

  /// The same, found fit.
  sandbox_process& load_fit(std::string_view text) {
    auto& loaded = load(spec(bundle("b" + std::to_string(++bundles), text)));
    if (auto err = factory->examine(loaded))
      throw std::runtime_error(troupe::what_of(err));
    of.copy_of = loaded.slot;
    return loaded;
  }

  sandbox_process& copy() { return take(launch(of)); }

  sandbox_process& take(sandbox_process process) {
    if (const auto first = read_frame(process); !first || first->header.kind != troupe::wire::frame_kind::ready)
      throw std::runtime_error("not ready: " + (first ? first->payload : "ended"));
    return processes.emplace_back(std::move(process));
  }

  std::string eval(const sandbox_process& in, const std::string& expression) {
    return run(in, "result = " + expression);
  }

  /// The reason why a template of that text is not fit.
  std::string unfit_because(std::string_view text) {
    auto& loaded = load(spec(bundle("b" + std::to_string(++bundles), text)));
    return troupe::what_of(factory->examine(loaded));
  }

  /// Kills and forgets.
  sandbox_death end(sandbox_process& which) {
    auto death = factory->bury(std::move(which));
    processes.remove_if([](const sandbox_process& each) { return !each.pidfd; });
    return death;
  }

  bool family_is_there() const {
    const auto is_family = [](const auto& each) { return each.path().filename().string().starts_with("family-"); };
    return std::ranges::any_of(cgroups_of(settings.cgroup_name), [&](const fs::path& group) {
      return std::any_of(fs::directory_iterator{group}, {}, is_family);
    });
  }

  /// Whether nothing is left of a template, its copies and its shells. The kernel may take a moment with a group.
  bool family_is_gone() {
    const auto until = std::chrono::steady_clock::now() + 10s;
    const auto look = [&] {
      fill_pools();
      return !family_is_there();
    };
    bool gone = look();
    while (!gone && std::chrono::steady_clock::now() < until)
      gone = look();
    return gone;
  }

  bool has_group(uint32_t slot) const {
    const auto is_its_own = [name = std::to_string(slot)](const auto& each) { return each.path().filename() == name; };
    return std::ranges::any_of(cgroups_of(settings.cgroup_name), [&](const auto& group) {
      return std::ranges::any_of(fs::recursive_directory_iterator{group}, is_its_own);
    });
  }

  bool stands_still(const sandbox_process& which) const {
    return cell_file(*this, which.slot, "freezer.state") == "FROZEN\n"
        || cell_file(*this, which.slot, "cgroup.events").find("frozen 1") != std::string::npos;
  }

  std::list<sandbox_process> processes;
  sandbox_spec of;
  int bundles = 0;
};

} // namespace sandbox_bed
