#include "handlers/sandbox/factory.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/layers.hpp"
#include "handlers/sandbox/machine.hpp"
#include "handlers/sandbox/name_servers.hpp"
#include "handlers/sandbox/process.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <string_view>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// After which a template is looked for where it must not be.
constexpr auto template_end_time = std::chrono::milliseconds{200};

/// How a process that was reaped had ended.
sandbox_death death_of(const siginfo_t& info, bool out_of_memory) {
  sandbox_death result;
  result.code = info.si_status;
  if (info.si_code == CLD_EXITED)
    result.why = sandbox_death::cause::exited;
  else if (info.si_status == SIGKILL && out_of_memory)
    result.why = sandbox_death::cause::out_of_memory;
  else
    result.why = sandbox_death::cause::signalled;
  return result;
}

/// Of one that was killed, and somebody else has seen how it ended.
siginfo_t killed() {
  siginfo_t info{};
  info.si_code = CLD_KILLED;
  info.si_status = SIGKILL;
  return info;
}

caf::error not_supported(const caf::error& reason) {
  const errc code = code_of(reason);
  if (code == errc::not_supported || code == errc::already_running)
    return reason;
  return make_error(errc::not_supported, "sandboxes cannot be made on this machine: " + what_of(reason));
}

} // namespace

zygote_factory::zygote_factory(factory_settings settings, node_cgroup cgroup, package_set packages)
  : settings_{std::move(settings)},
    cgroup_{std::move(cgroup)},
    packages_{{std::move(packages), settings_.zygote_memory_bytes}} {
  for (uint32_t slot = limits::sandbox_cells_max; slot > 0; --slot)
    free_slots_.push_back(slot - 1);
}

zygote_factory::~zygote_factory() {
  keep_blanks(false);
  const auto end = [](const cell& place) {
    if (place.pid == 0) // of a shell that did not end nothing else is left
      return;
    place.group.open_freezer().thaw();
    const unique_fd process = open_process(place.pid); // not waited for yet, so the id is still its own
    if (!kill_and_reap(process.get(), limits::kill_time_max))
      spdlog::error("a sandbox does not end");
  };
  for (auto& [number, copy] : copies_)
    if (!copy.given_up)
      give_up(copy);
  for (auto& [slot, place] : live_)
    end(place);
  for (auto& [slot, place] : std::exchange(live_, {}))
    take_back(std::move(place));
  for (const auto& [slot, home] : templates_)
    if (!home.ended)
      end(home.place);
  for (auto& [slot, home] : std::exchange(templates_, {}))
    leave_shell(std::move(home.place));
  egress_.reset();
  packages_.clear();
  zygote_.reset();
  ready_.clear();
  occupied_.clear();
  std::error_code ignored; // a directory that is not empty is not ours to remove
  std::filesystem::remove(mount_point(), ignored);
  std::filesystem::remove(settings_.run_dir, ignored);
}

caf::error zygote_factory::start() {
  std::error_code error;
  std::filesystem::create_directories(mount_point(), error);
  if (error)
    return make_error(errc::io_error, "the run directory cannot be made: " + error.message());
  egress_network::clear_left_overs(egress_settings_of(settings_));
  if (auto err = ensure_zygote())
    return not_supported(err);
  if (auto err = try_a_sandbox())
    return not_supported(err);
  return {};
}

/// One that is given nothing to run: by the time it has been set up, all that can be refused has been tried.
caf::error zygote_factory::try_a_sandbox() {
  sandbox_spec spec;
  spec.bundle_dir = mount_point(); // which only the zygote sees something in
  spec.memory_mb = limits::memory_mb_min;
  auto process = launch(spec);
  if (!process)
    return process.error();
  auto problem = wait_for_set_up(live_.at(process->slot).set_up);
  bury(std::move(*process));
  return problem;
}

caf::error zygote_factory::ensure_zygote() {
  if (zygote_ && zygote_->usable())
    return {};
  if (zygote_)
    spdlog::warn("the zygote is gone; starting another");
  collect_ahead();
  discard_dead_blanks(); // before whatever is left of the zygote's is waited for
  left_networks_.clear();
  zygote_.reset();
  auto started =
    zygote_process::start({settings_.host_program, mount_point(), settings_.reply_time,
                           resolv_conf_of(name_servers_of(settings_.name_servers)), settings_.layers, ids_});
  if (!started)
    return started.error();
  if (auto err = cgroup_.admit((*started)->id()))
    return err;
  zygote_ = std::move(*started);
  return {};
}

caf::error zygote_factory::open_group(cell& place) {
  auto birthplace = place.group.open_birthplace();
  if (!birthplace)
    return birthplace.error();
  auto joins = place.group.open_joins();
  if (!joins)
    return joins.error();
  place.birthplace = std::move(*birthplace);
  place.joins = std::move(*joins);
  return {};
}

caf::expected<zygote_factory::cell> zygote_factory::make_cell(cgroup_entry how, std::shared_ptr<family_cgroup> family) {
  if (free_slots_.empty() && !ready_.empty()) { // for a shell, which takes none of those
    drop_oldest_ready();
  }
  if (free_slots_.empty())
    return make_error(errc::sandbox_failed, "the node has as many sandboxes as it can have");
  const uint32_t slot = free_slots_.back();
  auto group = cgroup_.make_sandbox(slot, how, family.get());
  if (!group)
    return group.error();
  if (auto err = group->limit({.memory_mb = limits::memory_mb_default})) // ahead, for most functions
    return err;
  cell result{.slot = slot, .family = std::move(family), .group = std::move(*group)};
  if (auto err = open_group(result))
    return err;
  free_slots_.pop_back();
  return result;
}

caf::expected<zygote_factory::cell> zygote_factory::take_cell() {
  if (ready_.empty())
    return make_cell();
  cell result = std::move(ready_.back());
  ready_.pop_back();
  return result;
}

/// After the process has been reaped.
void zygote_factory::take_back(cell used) {
  if (used.holder)
    return leave_shell(std::move(used));
  if (used.network && zygote_ && used.guard == zygote_->shared_keeper()
      && left_networks_.size() < settings_.recycled_max)
    left_networks_.push_back(std::move(used.network));
  used.network.reset();
  used.guard.reset();
  used.pid = 0;
  used.bundle_dir.clear();
  used.set_up.reset();
  if (ready_.size() < settings_.recycled_max && used.group.recycle() && !open_group(used)) {
    used.oom_kills_before = used.group.oom_kills();
    ready_.push_back(std::move(used));
    return;
  }
  drop(std::move(used));
}

/// A number is not used again before its group is removed: whoever sits in there would be with somebody else.
void zygote_factory::drop(cell unused) {
  if (unused.group.remove())
    free_slots_.push_back(unused.slot);
  else
    occupied_.push_back(std::move(unused));
}

void zygote_factory::drop_oldest_ready() {
  cell oldest = std::move(ready_.front());
  ready_.pop_front();
  drop(std::move(oldest));
}

void zygote_factory::free_occupied() {
  occupied_.remove_if([this](cell& each) {
    if (!each.group.remove())
      return false;
    free_slots_.push_back(each.slot);
    return true;
  });
}

void zygote_factory::keep_blanks(bool wanted) {
  blanks_wanted_ = wanted;
  if (wanted)
    return;
  collect_ahead();
  for (auto* pool : {&blanks_, &connected_}) {
    for (auto& each : std::exchange(*pool, {}))
      discard(std::move(each));
  }
  for (auto& [slot, home] : templates_)
    leave_shells(home);
  tell_gauges();
}

void zygote_factory::tell_gauges() {
  gauges_->blank_sandboxes = static_cast<uint32_t>(blanks_.size() + connected_.size());
  gauges_->zygotes = static_cast<uint32_t>(packages_.count());
  gauges_->zygote_bytes = packages_.memory_used();
}

preparation zygote_factory::prepare_one() {
  collect_ahead();
  discard_dead_blanks();
  look_at_unending();
  free_occupied();
  const auto result = try_to_prepare_one();
  tell_gauges();
  if (result)
    return *result == preparation::full && !unending_.empty() ? preparation::stuck : *result;
  spdlog::warn("preparing a sandbox failed: {}", what_of(result.error()));
  return preparation::failed;
}

/// For the first burst on a node with little to do all of them are worth their memory. A function that has many
/// sandboxes serves its next burst itself: the more of those, the fewer blank ones are made anew.
size_t zygote_factory::wanted_blanks() const {
  constexpr size_t further_for_one = 4;
  std::set<std::string_view> bundles;
  for (const auto& [slot, place] : live_)
    bundles.insert(place.bundle_dir);
  const size_t replaced = (live_.size() - bundles.size()) / further_for_one;
  return settings_.blank_target - std::min<size_t>(settings_.blank_target, replaced);
}

caf::expected<preparation> zygote_factory::try_to_prepare_one() {
  if (blanks_wanted_ && blanks_.size() < wanted_blanks()) {
    auto made = make_blank(true);
    if (!made)
      return std::move(made.error());
    blanks_.push_back(std::move(*made));
    return preparation::made;
  }
  if (blanks_wanted_ && egress_ && connected_.size() < std::min<size_t>(settings_.blank_target, limits::egress_ready)) {
    auto made = make_blank(true);
    if (!made)
      return std::move(made.error());
    auto ready = connected(std::move(*made));
    if (!ready)
      return std::move(ready.error());
    connected_.push_back(std::move(*ready));
    return preparation::made;
  }
  if (ready_.size() < settings_.pool_target) {
    auto made = make_cell();
    if (!made)
      return std::move(made.error());
    ready_.push_back(std::move(*made));
    return preparation::made;
  }
  if (auto err = ensure_zygote())
    return err;
  if (zygote_->parts_prepared() >= settings_.pool_target)
    return tend();
  if (auto err = zygote_->prepare())
    return err;
  return preparation::made;
}

/// What is worth doing when everything else is ready. What a burst has left beyond that goes.
caf::expected<preparation> zygote_factory::tend() {
  if (ready_.size() > settings_.pool_target) {
    drop_oldest_ready();
    return preparation::made;
  }
  left_networks_.clear(); // the zygote has made others
  auto done = prepare_templates();
  return done && *done == preparation::full ? packages_.tend(*zygote_) : std::move(done);
}

sandbox_death zygote_factory::bury(sandbox_process process) {
  process.standstill.thaw(); // or it would not see the signal (v1), and the group's next process would not move
  const auto entry = live_.find(process.slot);
  const auto home = templates_.find(process.slot);
  const bool is_template = home != templates_.end() && home->second.place.pid == process.pid;
  auto end = kill_and_reap(process.pidfd.get(), is_template ? template_end_time : limits::kill_time_max);
  if (!end && is_template) {
    thaw_copies(process.slot);
    end = reap(process.pidfd.get(), limits::kill_time_max);
  }
  if (!end && !is_running(process.pidfd.get())) // whoever cleared up after a zygote has taken its status
    end = killed();
  if (!is_template && (entry == live_.end() || entry->second.pid != process.pid)) {
    spdlog::error("a sandbox was buried that this factory did not make");
    return {};
  }
  if (!end) {
    if (is_template)
      condemn(home->second);
    bury_later(std::move(process));
    return {sandbox_death::cause::signalled, SIGKILL, 0};
  }
  const cell& place = is_template ? home->second.place : entry->second;
  sandbox_death death = death_of(*end, place.group.oom_kills() > place.oom_kills_before);
  death.memory_peak_bytes = place.group.memory_peak_bytes();
  if (place.set_up)
    if (const auto problem = wait_for_set_up(place.set_up))
      death.never_set_up = what_of(problem);
  if (is_template) {
    bury_template(home->second);
    return death;
  }
  cell left = std::move(entry->second);
  live_.erase(entry);
  const auto of_template = left.of_template;
  take_back(std::move(left));
  if (of_template)
    let_go(*of_template);
  return death;
}

caf::expected<std::unique_ptr<sandbox_factory>> make_sandbox_factory(factory_settings settings) {
  if (auto err = check_machine())
    return err;
  auto in_layers = find_layer_packages(settings.layers);
  if (!in_layers)
    return in_layers.error();
  auto layout = find_own_cgroups();
  if (const auto missing = layout.missing(); !missing.empty()) {
    if (settings.level == isolation::full)
      return make_error(errc::not_supported, "cgroup controllers are missing: " + missing
                                               + " (troupe doctor says how to get them; worker.isolation = \"relaxed\" "
                                                 "does without)");
    spdlog::warn("isolation is relaxed: cgroup controllers are missing, and nothing limits what they would: {}",
                 missing);
  }
  auto group =
    node_cgroup::make(std::move(layout), {settings.cgroup_name, settings.memory_bytes, plan_own_ids().first});
  if (!group)
    return group.error();
  package_set packages{settings.packages.begin(), settings.packages.end()};
  packages.merge(*in_layers);
  auto result = std::make_unique<zygote_factory>(std::move(settings), std::move(*group), std::move(packages));
  if (auto err = result->start())
    return err;
  return std::unique_ptr<sandbox_factory>{std::move(result)};
}

} // namespace troupe::handlers
