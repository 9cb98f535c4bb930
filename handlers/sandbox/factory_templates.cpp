// The factory's templates: processes that have loaded a handler, and are copied in place of loading it again.
#include "config/errc.hpp"
#include "handlers/sandbox/factory.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

namespace troupe::handlers {
namespace {

namespace fs = std::filesystem;

caf::error failed(const std::string& what) {
  return make_error(errc::sandbox_failed, what);
}

/// Descriptors of a loaded handler's process: /dev/null, twice the log, the set-up socket and its channel.
constexpr size_t descriptors_of_a_template = 6;
/// In a row: some may have come just after a copy each.
constexpr int unfit_looks_max = 20;
/// Threads of a template's shell: the holder's and its own.
constexpr uint64_t threads_of_a_template = 2;

std::string process_of(int pid) {
  return "/proc/" + std::to_string(pid);
}

long count_of(const std::string& directory) {
  std::error_code error;
  return std::distance(fs::directory_iterator{directory, error}, fs::directory_iterator{});
}

/// What a process has open, by names that tell one socket or pipe from another.
std::vector<std::string> descriptors_of(const std::string& process) {
  std::error_code error;
  std::vector<std::string> result;
  for (const auto& entry : fs::directory_iterator{process + "/fd", error})
    result.push_back(fs::read_symlink(entry.path(), error).string());
  std::ranges::sort(result);
  return result;
}

bool has_socket(const std::vector<std::string>& descriptors) {
  const auto is_socket = [](const std::string& name) { return name.starts_with("socket:"); };
  return std::ranges::count_if(descriptors, is_socket) > 1; // one is ours
}

} // namespace

caf::expected<sandbox_process> zygote_factory::launch_template(const sandbox_spec& spec) {
  auto place = make_shell(spec, nullptr);
  if (!place)
    return place.error();
  auto ends = make_ends();
  auto child = ends
               ? zygote_->launch({.kind = request_kind::enter}, fds_to_enter(place->holder, place->joins, ends->childs))
               : caf::expected<zygote_process::child>{ends.error()};
  if (!child) {
    leave_shell(std::move(*place));
    return child.error();
  }
  ends->childs = {};
  place->joins.clear();
  place->pid = child->pid;
  blank made{std::move(*place), std::move(child->pidfd), std::move(ends->ours)};
  wire::send_message(made.ends.set_up.get(), encode(request_of(spec)));
  if (auto err = wait_for_set_up(made.ends.set_up)) {
    discard(std::move(made));
    return err;
  }
  sandbox_process result = describe(made);
  const auto [home, added] =
    templates_.emplace(result.slot, template_home{.place = std::move(made.place),
                                                  .process = open_process(result.pid),
                                                  .control = {"the template", std::move(made.ends.set_up),
                                                              settings_.reply_time, control_channel::belief::none},
                                                  .of = spec});
  if (auto err = limit_family(home->second))
    condemn(home->second); // it ends, and who waits for it loads the handler
  return result;
}

caf::error zygote_factory::examine(const sandbox_process& loaded) {
  const auto found = templates_.find(loaded.slot);
  if (found == templates_.end())
    return failed("there is no such template");
  template_home& home = found->second;
  if (has_company(home))
    return failed("it has started threads or processes");
  home.descriptors = descriptors_of(process_of(home.place.pid));
  if (has_socket(home.descriptors))
    return failed("it has opened sockets");
  if (home.descriptors.size() > descriptors_of_a_template)
    return failed("it holds files open");
  home.fit = true;
  return {};
}

/// A copy would lack it.
bool zygote_factory::has_company(const template_home& of) {
  return count_of(process_of(of.place.pid) + "/task") != 1 || of.place.group.processes() > threads_of_a_template;
}

/// What has become of one that was found fit, or nothing.
caf::error zygote_factory::unfitness(const template_home& of) {
  if (has_company(of) || !of.place.group.holds(of.place.pid))
    return failed("it has started threads or processes");
  if (descriptors_of(process_of(of.place.pid)) != of.descriptors)
    return failed("it holds files or sockets open");
  if (wait_readable(of.control.socket(), std::chrono::milliseconds{0}))
    return failed("it sends what nobody has asked for");
  return {};
}

/// As much as all that are there may use.
caf::error zygote_factory::limit_family(const template_home& of) {
  return of.place.family->limit(of.of.memory_mb, 1 + of.sandboxes);
}

/// Whether it is as it was when it was found fit. Just after a copy it need not be; but one that stays so holds what
/// its copies had, such as sockets, and with them their networks.
bool zygote_factory::is_still_fit(template_home& which) {
  const auto unfit = unfitness(which);
  if (!unfit) {
    which.unfit_looks = 0;
    return true;
  }
  const auto now = std::chrono::steady_clock::now();
  if (++which.unfit_looks == 1)
    which.unfit_since = now;
  if (which.unfit_looks >= unfit_looks_max && now - which.unfit_since > limits::template_unfit_time_max) {
    spdlog::error("a template of {} is ended: {}", which.of.function_name, what_of(unfit));
    condemn(which);
  }
  return false;
}

/// It cannot be copied any more, or has done what it must not: its bury will follow.
void zygote_factory::condemn(template_home& which) {
  which.place.group.open_freezer().thaw();
  thaw_copies(which.place.slot);
  send_kill(which.process.get());
  which.control.lose("it was killed");
}

/// Its function's code is where none can be but by itself: all of it goes, with the first process around it.
void zygote_factory::condemn_all(template_home& which) {
  send_kill(which.place.holder.get());
  condemn(which);
}

/// A template can move into the groups of its copies, and what stands still does not see that it is killed (v1).
void zygote_factory::thaw_copies(uint32_t template_slot) {
  for (const auto& [slot, place] : live_)
    if (place.of_template == template_slot)
      place.group.open_freezer().thaw();
}

/// One of its sandboxes has gone.
void zygote_factory::let_go(uint32_t template_slot) {
  if (const auto found = templates_.find(template_slot); found != templates_.end()) {
    template_home& home = found->second;
    --home.sandboxes;
    if (const auto err = limit_family(home); err && !home.ended) {
      spdlog::error("a template of {} is ended, it keeps memory of its copies: {}", home.of.function_name,
                    what_of(err));
      condemn(home);
    }
  }
  remove_if_unused(template_slot);
}

/// Its process has been reaped. The home stays as long as there are sandboxes in it.
void zygote_factory::bury_template(template_home& which) {
  give_up_copies(which); // before it counts as ended, or it might go with them
  which.ended = true;
  leave_shells(which);
  if (which.place.group.processes() > 1) // besides the holder
    reap_strangers();
  if (which.place.group.processes() > 1) {
    spdlog::error("template {} has left processes behind", which.place.slot);
    condemn_all(which);
  }
  remove_if_unused(which.place.slot);
}

void zygote_factory::remove_if_unused(uint32_t template_slot) {
  const auto found = templates_.find(template_slot);
  if (found == templates_.end() || !found->second.ended || found->second.sandboxes > 0)
    return;
  cell place = std::move(found->second.place);
  templates_.erase(found);
  leave_shell(std::move(place));
  free_occupied();
}

/// One thing, while nothing else waits: templates that stand still, and further shells inside of those, whose code
/// cannot disturb that then.
caf::expected<preparation> zygote_factory::prepare_templates() {
  auto result = preparation::full;
  for (auto& [slot, home] : templates_) {
    if (home.ended || home.control.lost() || !home.fit || home.copying)
      continue;
    if (!home.frozen && !is_still_fit(home)) {
      result = preparation::waiting;
      continue;
    }
    if (!home.frozen) {
      home.frozen = home.place.group.open_freezer().freeze();
      return preparation::made;
    }
    // Numbers that are left are for sandboxes that somebody waits for.
    const bool slots_to_spare = free_slots_.size() > limits::launches_in_flight_max + limits::blank_sandboxes_max / 2;
    if (!blanks_wanted_ || !slots_to_spare || home.shells.size() >= limits::template_shells_ready)
      continue;
    auto made = make_shell(home.of, &home);
    if (!made) {
      condemn(home);
      return made.error();
    }
    home.shells.push_back(std::move(*made));
    return preparation::made;
  }
  return result;
}

} // namespace troupe::handlers
