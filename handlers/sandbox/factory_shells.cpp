// The factory's shells: first processes of PID namespaces, into which templates and their copies are sent. And what
// becomes of processes that do not end.
#include "config/errc.hpp"
#include "handlers/sandbox/factory.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/sandbox/small_file.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <utility>

namespace troupe::handlers {
namespace {

/// Until a shell is furnished. A template's code can hold up the one inside its own, and with it all launches.
constexpr auto furnish_time_max = std::chrono::milliseconds{1000};

} // namespace

/// Of that template's family, or of a new one.
caf::expected<zygote_factory::cell> zygote_factory::make_family_cell(const template_home* around) {
  if (around != nullptr)
    return make_cell(cgroup_entry::joining, around->place.family);
  auto family = cgroup_.make_family(++last_family_);
  if (!family)
    return family.error();
  return make_cell(cgroup_entry::joining, std::move(*family));
}

/// A shell for that function, inside a template's unless that is null.
caf::expected<zygote_factory::cell> zygote_factory::make_shell(const sandbox_spec& spec, const template_home* around) {
  if (auto err = ensure_zygote())
    return err;
  if (around != nullptr && around->place.guard != zygote_->shared_keeper())
    return make_error(errc::sandbox_failed, "the template belongs to a zygote that is gone");
  auto place = make_family_cell(around);
  if (!place)
    return place.error();
  auto sockets = make_sockets();
  if (!sockets) {
    drop(std::move(*place));
    return sockets.error();
  }
  std::vector<int> fds{sockets->childs.get()};
  if (around != nullptr)
    fds.push_back(around->place.holder.get());
  for (const unique_fd& join : place->joins)
    fds.push_back(join.get());
  const id_map ids = around != nullptr ? ids_.inside_template() : ids_.of_sandbox(place->slot);
  auto holder = zygote_->launch({.kind = request_kind::shell, .ids = ids, .inside = around != nullptr}, fds);
  if (!holder) {
    drop(std::move(*place));
    return holder.error();
  }
  place->holder = std::move(holder->pidfd);
  place->holder_id = holder->pid;
  place->guard = zygote_->shared_keeper();
  if (around != nullptr)
    place->of_template = around->place.slot;
  sockets->childs.reset(); // or the holder's end would not be seen
  if (auto err = furnish(*place, sockets->ours, spec)) {
    leave_shell(std::move(*place));
    return err;
  }
  return place;
}

caf::error zygote_factory::furnish(cell& shell, const unique_fd& set_up, const sandbox_spec& spec) {
  const auto bundle = mount_bundle(spec.bundle_dir);
  if (!bundle)
    return bundle.error();
  if (auto err = shell.group.limit({.memory_mb = spec.memory_mb}))
    return err;
  const int fds[] = {bundle->get()};
  wire::send_message(set_up.get(), bytes_of(shell_request{spec.ephemeral_storage_mb}), fds);
  const auto patience = shell.of_template ? std::min(settings_.reply_time, furnish_time_max) : settings_.reply_time;
  if (auto err = wait_for_set_up(set_up, patience))
    return err;
  return spec.reach == network::egress ? connect(shell.holder_id) : caf::error{};
}

/// Ends the holder, and with it whatever is in the shell. False when that takes too long.
bool zygote_factory::end_holder(const cell& of) {
  constexpr auto soon = std::chrono::milliseconds{20};
  of.group.open_freezer().thaw();
  if (kill_and_reap(of.holder.get(), soon))
    return true;
  // A holder ends after everybody in there. A template can make processes whose parent is the node, which does not know
  // of them, a copy that it has not named yet for one: each ends in its own time, and then waits for the node.
  const auto until = std::chrono::steady_clock::now() + limits::kill_time_max;
  do {
    reap_strangers();
    if (reap(of.holder.get(), soon) || !is_running(of.holder.get()))
      return true;
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

/// Takes the status of children that have ended and that this factory does not know.
void zygote_factory::reap_strangers() {
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task", error}) {
    std::istringstream children{read_small_file(thread.path() / "children").value_or("")};
    for (int pid = 0; children >> pid;)
      if (const unique_fd process = open_process(pid); is_new_child(process.get(), pid) && !is_running(process.get()))
        reap(process.get(), std::chrono::milliseconds{0});
  }
}

/// The process in it has been reaped.
void zygote_factory::leave_shell(cell left) {
  if (end_holder(left)) {
    put_away_shell(std::move(left));
    return;
  }
  spdlog::error("shell {} does not end; its memory stays in use until it does", left.slot);
  const auto slot = left.slot;
  left.pid = 0;
  live_.emplace(slot, std::move(left));
  unending_.emplace_back([this, slot] {
    const cell& place = live_.at(slot);
    place.group.open_freezer().thaw();
    if (is_running(place.holder.get()))
      return false;
    put_away_shell(std::move(live_.extract(slot).mapped()));
    return true;
  });
}

/// Its holder has ended.
void zygote_factory::put_away_shell(cell left) {
  const auto around = left.of_template;
  reap(left.holder.get(), std::chrono::milliseconds{0}); // unless that has been done
  left.guard.reset();
  // Only a template can have got into the group of another shell.
  if (!left.group.remove() && around && templates_.contains(*around)) {
    spdlog::error("template {} is where it must not be", *around);
    condemn(templates_.at(*around));
  }
  drop(std::move(left));
}

zygote_factory::cell zygote_factory::take_first_shell(template_home& of) {
  cell result = std::move(of.shells.front());
  of.shells.pop_front();
  return result;
}

/// Those that were made ahead.
void zygote_factory::leave_shells(template_home& of) {
  while (!of.shells.empty())
    leave_shell(take_first_shell(of));
}

/// It has been killed and does not end.
void zygote_factory::bury_later(sandbox_process process) {
  spdlog::error("sandbox {} does not end; its memory stays in use until it does", process.slot);
  unending_.emplace_back([this, left = std::make_shared<sandbox_process>(std::move(process))] {
    left->standstill.thaw();
    if (is_running(left->pidfd.get()))
      return false;
    bury(std::move(*left));
    return true;
  });
}

/// Those that have ended since are put away after all.
void zygote_factory::look_at_unending() {
  if (!unending_.empty())
    reap_strangers();
  for (auto& put_away : std::exchange(unending_, {}))
    if (!put_away())
      unending_.push_back(std::move(put_away));
}

} // namespace troupe::handlers
