#pragma once

#include "handlers/sandbox/cgroups.hpp"
#include "handlers/sandbox/egress.hpp"
#include "handlers/sandbox/launch_parts.hpp"
#include "handlers/sandbox/package_zygotes.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "handlers/sandbox/zygote_process.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::handlers {

inline egress_settings egress_settings_of(const factory_settings& settings) {
  return {settings.cgroup_name, settings.run_dir, settings.egress_range, settings.egress_denied};
}

/// What a child is told of its function.
launch_request request_of(const sandbox_spec& spec);

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

  caf::expected<launch_progress> begin_launch(const sandbox_spec& spec) override;
  caf::expected<launch_progress> go_on(unfinished_launch launch, std::chrono::milliseconds patience) override;
  sandbox_death bury(sandbox_process process) override;
  caf::error examine(const sandbox_process& loaded) override;
  void keep_blanks(bool wanted) override;
  preparation prepare_one() override;
  std::shared_ptr<const factory_gauges> gauges() const override { return gauges_; }

private:
  struct cell {
    uint32_t slot = 0;
    std::shared_ptr<family_cgroup> family{}; ///< of a template and its copies; goes after the group
    sandbox_cgroup group;
    unique_fd birthplace{}; ///< this and `joins` are open while it is ready
    std::vector<unique_fd> joins{};
    std::shared_ptr<keeper> guard{};
    int pid = 0;
    uint64_t oom_kills_before = 0;
    unique_fd holder{}; ///< a pidfd, when the sandbox lives in a shell
    int holder_id = 0;
    std::optional<uint32_t> of_template{}; ///< and the slot of the template inside whose shell that is
    std::string bundle_dir{};              ///< of its function, once it has one
    unique_fd set_up{};                    ///< the node's end, while the child may have something to report
    unique_fd network{};                   ///< unless that has a way out or lives in a shell
  };

  struct blank {
    cell place;
    unique_fd process; ///< a pidfd
    channel_ends ends; ///< the node's; all but `set_up` are the function's later
  };

  /// A template and the shells inside its own. It stays until the last of them has gone, since it holds their PID
  /// namespaces; its process, which holds the memory, may end before.
  struct template_home {
    cell place;
    unique_fd process; ///< a pidfd
    control_channel control;
    sandbox_spec of;
    std::list<cell> shells{}; ///< without a sandbox yet
    uint32_t sandboxes = 0;
    bool fit = false; ///< it may be copied
    bool copying = false;
    bool frozen = false;
    std::vector<std::string> descriptors{};              ///< by their names, when it was found fit
    std::chrono::steady_clock::time_point unfit_since{}; ///< which it may be just after a copy
    int unfit_looks = 0;                                 ///< in a row
    bool ended = false;                                  ///< it has been buried
  };

  /// A copy that a template is making: a tenant's code, for which nobody waits idly.
  struct copy_under_way {
    sandbox_spec spec;
    blank made;            ///< its process, once the template has named it,
    unique_fd messenger{}; ///< and until that one has ended
    int messenger_id = 0;
    std::chrono::steady_clock::time_point until; ///< then the template counts as hung
    bool given_up = false;                       ///< `made` is gone
  };

  std::string mount_point() const { return settings_.run_dir + "/root"; }
  caf::error try_a_sandbox();
  caf::error ensure_zygote();
  static caf::error open_group(cell& place);
  caf::expected<cell> make_cell(cgroup_entry how = cgroup_entry::birth, std::shared_ptr<family_cgroup> family = {});
  caf::expected<cell> take_cell();
  void take_back(cell used);
  void drop(cell unused);
  void drop_oldest_ready();
  void free_occupied();
  caf::expected<blank> begin_blank(cell place, zygote_process& from, bool rehearse);
  caf::expected<blank> finish_blank(blank begun, zygote_process& from);
  caf::error begin_ahead(bool rehearse);
  caf::expected<blank> finish_ahead();
  void collect_ahead();
  void work_ahead();
  caf::expected<blank> make_blank(bool rehearse);
  caf::expected<blank> take_blank(network reach);
  caf::expected<blank> take_for(const sandbox_spec& spec);
  caf::error ensure_egress();
  caf::error connect(int pid);
  caf::expected<blank> connected(blank to);
  std::optional<blank> take_first(std::list<blank>& of);
  void discard_dead(blank dead);
  void discard_dead_blanks();
  size_t wanted_blanks() const;
  void tell_gauges();
  caf::expected<preparation> try_to_prepare_one();
  caf::expected<preparation> tend();
  bool discard(blank unused);
  caf::error give(blank& to, const sandbox_spec& spec, int bundle);
  caf::error wait_for_set_up(const unique_fd& set_up);
  static caf::error wait_for_set_up(const unique_fd& set_up, std::chrono::milliseconds patience);
  sandbox_process hand_over(blank done, const sandbox_spec& spec);
  caf::expected<sandbox_process> launch_from_blank(const sandbox_spec& spec);

  static sandbox_process describe(blank& done);

  // factory_shells.cpp
  caf::expected<cell> make_family_cell(const template_home* around);
  caf::expected<cell> make_shell(const sandbox_spec& spec, const template_home* around);
  caf::error furnish(cell& shell, const unique_fd& set_up, const sandbox_spec& spec);
  bool end_holder(const cell& of);
  void reap_strangers();
  void leave_shell(cell left);
  void put_away_shell(cell left);
  static cell take_first_shell(template_home& of);
  void leave_shells(template_home& of);
  void bury_later(sandbox_process process);
  void look_at_unending();

  // factory_templates.cpp
  caf::expected<sandbox_process> launch_template(const sandbox_spec& spec);
  void condemn(template_home& which);
  void condemn_all(template_home& which);
  void thaw_copies(uint32_t template_slot);
  void bury_template(template_home& which);
  void let_go(uint32_t template_slot);
  void remove_if_unused(uint32_t template_slot);
  static bool has_company(const template_home& of);
  static caf::error unfitness(const template_home& of);
  static caf::error limit_family(const template_home& of);
  bool is_still_fit(template_home& which);
  caf::expected<preparation> prepare_templates();

  // factory_copies.cpp
  caf::expected<unfinished_launch> begin_copy(const sandbox_spec& spec);
  caf::expected<copy_under_way> send_for_copy(template_home& from, const sandbox_spec& spec);
  caf::expected<cell> take_shell(template_home& in);
  caf::expected<bool> advance(template_home& from, copy_under_way& copy, std::chrono::milliseconds patience);
  caf::error take_named(template_home& from, copy_under_way& copy);
  void give_up(copy_under_way& copy);
  void give_up_copies(template_home& of);
  bool is_new_child(int pidfd, int pid) const;
  bool knows(int pid) const;

  factory_settings settings_;
  node_cgroup cgroup_;
  const id_plan ids_ = plan_own_ids();
  std::unique_ptr<zygote_process> zygote_; ///< the bare one
  package_zygotes packages_;
  std::map<uint32_t, cell> live_; ///< by slot
  std::map<uint32_t, template_home> templates_;
  std::map<uint64_t, copy_under_way> copies_; ///< by the number of the launch
  uint64_t last_copy_ = 0;
  uint32_t last_family_ = 0;
  std::deque<cell> ready_;
  std::deque<unique_fd> left_networks_;       ///< of sandboxes that have ended, of this zygote's user namespace
  std::list<cell> occupied_;                  ///< somebody is still in the group
  std::list<std::function<bool()>> unending_; ///< what was killed in vain: each puts one away, if that has ended now
  std::list<blank> blanks_;                   ///< the oldest first
  std::optional<blank> ahead_;                ///< one more that the zygote is making
  std::list<blank> connected_;                ///< the same with a way out
  std::unique_ptr<egress_network> egress_;    ///< once a function has asked for it
  caf::error egress_problem_;                 ///< why it could not be made, and until when that is not tried again
  std::chrono::steady_clock::time_point egress_retry_;
  bool blanks_wanted_ = true;
  std::vector<uint32_t> free_slots_; ///< the lowest last
  std::shared_ptr<factory_gauges> gauges_ = std::make_shared<factory_gauges>();
};

} // namespace troupe::handlers
