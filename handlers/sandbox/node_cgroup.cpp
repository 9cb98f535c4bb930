#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/cgroups.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <ranges>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

namespace fs = std::filesystem;

/// Whether `word` is one of the words of `text`, which are separated by `separator`.
bool has_word(std::string_view text, char separator, std::string_view word) {
  return std::ranges::any_of(std::views::split(text, separator),
                             [word](auto&& part) { return std::ranges::equal(part, word); });
}

/// A line of mountinfo, as far as it matters here (proc(5)): which directory of the file system is mounted, and where,
/// are the fourth and the fifth field; after a lone hyphen come file system type, source and options.
struct mount_line {
  std::string root;
  std::string point;
  std::string type;
  std::string options;
};

std::optional<mount_line> parse_mount(const std::string& line) {
  std::istringstream fields{line};
  mount_line result;
  std::string field;
  for (int i = 0; i < 3; ++i)
    fields >> field;
  fields >> result.root >> result.point;
  while (fields >> field && field != "-")
    continue;
  std::string source;
  fields >> result.type >> source >> result.options;
  return fields ? std::optional{result} : std::nullopt;
}

std::vector<mount_line> cgroup_mounts(std::string_view mountinfo) {
  std::vector<mount_line> result;
  std::istringstream lines{std::string{mountinfo}};
  for (std::string line; std::getline(lines, line);)
    if (const auto mount = parse_mount(line); mount && (mount->type == "cgroup" || mount->type == "cgroup2"))
      result.push_back(*mount);
  return result;
}

std::optional<cgroup_controller> find_controller(const std::vector<mount_line>& mounts, std::string_view name) {
  for (const auto& mount : mounts) {
    if (mount.type == "cgroup" && has_word(mount.options, ',', name))
      return cgroup_controller{cgroup_version::v1, mount.point};
    if (mount.type != "cgroup2")
      continue;
    auto controllers = read_small_file(mount.point + "/cgroup.controllers");
    if (controllers && controllers->ends_with('\n'))
      controllers->pop_back();
    if (controllers && has_word(*controllers, ' ', name))
      return cgroup_controller{cgroup_version::v2, mount.point};
  }
  return std::nullopt;
}

/// Every group of v2 can stand still. It does so in half the time that the controller of v1 takes.
std::optional<cgroup_controller> find_freezer(const std::vector<mount_line>& mounts) {
  const auto v2 = std::ranges::find(mounts, "cgroup2", &mount_line::type);
  if (v2 != mounts.end())
    return cgroup_controller{cgroup_version::v2, v2->point};
  return find_controller(mounts, "freezer");
}

cgroup_layout layout_of(const std::vector<mount_line>& mounts) {
  cgroup_layout result{.memory = find_controller(mounts, "memory"),
                       .pids = find_controller(mounts, "pids"),
                       .cpu = find_controller(mounts, "cpu"),
                       .freezer = find_freezer(mounts)};
  if (const auto other = find_controller(mounts, "freezer"); other != result.freezer)
    result.late_freezer = other;
  return result;
}

/// The caller's own group in that hierarchy, as a directory; empty when the mount does not show it. A line of
/// `own_groups` (cgroups(7)) has a number, the controllers, none in v2, and the path.
std::string own_group(const mount_line& mount, std::string_view own_groups) {
  std::istringstream lines{std::string{own_groups}};
  for (std::string line; std::getline(lines, line);) {
    const size_t names = line.find(':') + 1;
    const size_t path = line.find(':', names) + 1;
    if (names == 0 || path == 0)
      continue;
    const std::string first_name = line.substr(names, line.find_first_of(",:", names) - names);
    if (mount.type == "cgroup2" ? !first_name.empty() : !has_word(mount.options, ',', first_name))
      continue;
    const std::string above = mount.root == "/" ? "" : mount.root;
    return line.compare(path, above.size(), above) == 0 ? mount.point + line.substr(path + above.size()) : "";
  }
  return "";
}

bool may_make_groups(const std::string& directory) {
  const auto may_write = [](const std::string& path) {
    return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
  };
  return may_write(directory) && may_write(directory + "/cgroup.procs");
}

/// Waits for the end of all processes in a group; false when some are still there after `limits::kill_time_max`.
bool wait_until_empty(const std::string& directory) {
  const auto text = read_small_file(directory + "/cgroup.procs");
  std::istringstream pids{text.value_or("")};
  for (int pid = 0; pids >> pid;) {
    const unique_fd process = open_process(pid);
    if (process && !wait_readable(process.get(), limits::kill_time_max))
      return false;
  }
  return true;
}

bool remove_groups_below(const std::string& directory);

/// Removes a group once its processes have ended; those of a killed node are ending by themselves, except that v1 lets
/// nobody end who stands still.
bool remove_group(const std::string& directory) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT)
    return true;
  if (!remove_groups_below(directory)) // a family's
    return false;
  write_small_file(directory + "/freezer.state", "THAWED"); // only one of both is there, if any
  write_small_file(directory + "/cgroup.freeze", "0");
  return wait_until_empty(directory) && (::rmdir(directory.c_str()) == 0 || errno == ENOENT);
}

bool remove_groups_below(const std::string& directory) {
  std::error_code error;
  bool all = true;
  for (const auto& entry : fs::directory_iterator{directory, error})
    if (entry.is_directory(error))
      all = remove_group(entry.path().string()) && all;
  return all;
}

caf::error enable_below(const std::string& directory, const std::string& controllers) {
  if (const int error = change_control(directory, "+", controllers))
    return make_error(errc::not_supported,
                      "cgroup v2 controllers " + controllers + " for new groups: " + std::strerror(error));
  return {};
}

caf::error limit_to(const std::string& file, uint64_t value, const char* step) {
  if (const int error = write_small_file(file, std::to_string(value)))
    return make_error(errc::not_supported, std::string{step} + ": " + std::strerror(error));
  return {};
}

constexpr const char* zygote_group = "/zygote";

} // namespace

cgroup_layout find_cgroups(std::string_view mountinfo) {
  return layout_of(cgroup_mounts(mountinfo));
}

cgroup_layout find_own_cgroups(std::string_view mountinfo, std::string_view own_groups) {
  std::vector<mount_line> usable;
  for (mount_line& mount : cgroup_mounts(mountinfo)) {
    if (!may_make_groups(mount.point))
      mount.point = own_group(mount, own_groups);
    if (may_make_groups(mount.point))
      usable.push_back(std::move(mount));
  }
  return layout_of(usable);
}

cgroup_layout find_own_cgroups() {
  return find_own_cgroups(read_small_file("/proc/self/mountinfo").value_or(""),
                          read_small_file("/proc/self/cgroup").value_or(""));
}

node_cgroup::node_cgroup(cgroup_layout layout, node_cgroup_settings settings)
  : layout_{std::move(layout)}, settings_{std::move(settings)} {}

node_cgroup::node_cgroup(node_cgroup&& other) noexcept
  : handed_on_{std::move(other.handed_on_)},
    guard_{std::move(other.guard_)},
    layout_{std::move(other.layout_)},
    settings_{std::exchange(other.settings_, {})} {}

caf::expected<node_cgroup> node_cgroup::make(cgroup_layout layout, node_cgroup_settings settings) {
  node_cgroup result{std::move(layout), std::move(settings)};
  for (const auto& hierarchy : result.layout_.hierarchies())
    if (auto err = result.prepare(hierarchy))
      return err;
  if (auto err = result.limit_all())
    return err;
  for (const auto* freezer : {&result.layout_.freezer, &result.layout_.late_freezer})
    if (*freezer && (*freezer)->version == cgroup_version::v1) {
      auto guard = thaw_guard::start((*freezer)->root + "/" + result.settings_.name);
      if (!guard)
        return guard.error();
      result.guard_ = std::move(*guard);
    }
  return result;
}

caf::error node_cgroup::prepare(const cgroup_controller& hierarchy) {
  const std::string directory = hierarchy.root + "/" + settings_.name;
  if (!remove_groups_below(directory))
    return make_error(errc::already_running, "another node's sandboxes are in the cgroup " + settings_.name);
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return make_error(errc::not_supported, std::string{"making cgroups: "} + std::strerror(errno));
  if (hierarchy.version == cgroup_version::v1)
    return {};
  const std::string controllers = controllers_in(hierarchy);
  auto handed_on = handed_on_controllers::make(hierarchy.root, settings_.name + "-node", controllers);
  if (!handed_on)
    return handed_on.error();
  handed_on_ = std::move(*handed_on);
  if (auto err = enable_below(directory, controllers))
    return err;
  if (::mkdir((directory + zygote_group).c_str(), 0755) != 0
      || ::chown((directory + "/cgroup.procs").c_str(), settings_.owner, settings_.owner) != 0)
    return make_error(errc::not_supported, std::string{"making the zygote's cgroup: "} + std::strerror(errno));
  return {};
}

/// The names of those that are used there.
std::string node_cgroup::controllers_in(const cgroup_controller& hierarchy) const {
  std::string result;
  for (const auto& [name, place] :
       {std::pair{"memory", &layout_.memory}, std::pair{"pids", &layout_.pids}, std::pair{"cpu", &layout_.cpu}})
    if (*place == hierarchy)
      result += (result.empty() ? "" : " ") + std::string{name};
  return result;
}

caf::expected<sandbox_cgroup> node_cgroup::make_sandbox(uint32_t slot, cgroup_entry how,
                                                        const family_cgroup* family) const {
  return sandbox_cgroup::make(layout_, {settings_.name, slot, family != nullptr ? family->name() : ""}, settings_.owner,
                              how);
}

caf::expected<std::shared_ptr<family_cgroup>> node_cgroup::make_family(uint32_t number) const {
  const auto& memory = layout_.memory;
  const bool v1 = memory && memory->version == cgroup_version::v1;
  // Where v1 freezes and counts memory in one hierarchy, the guard has to find all who stand still side by side.
  if (!memory || (v1 && (memory == layout_.freezer || memory == layout_.late_freezer)))
    return std::make_shared<family_cgroup>("", "");
  const std::string name = "family-" + std::to_string(number);
  const std::string directory = memory->root + "/" + settings_.name + "/" + name;
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return make_error(errc::sandbox_failed, std::string{"make a family's cgroup: "} + std::strerror(errno));
  auto result = std::make_shared<family_cgroup>(name, directory);
  if (!v1)
    if (auto err = enable_below(directory, controllers_in(*memory)))
      return err;
  return result;
}

/// What all sandboxes may use together, whatever each may use by itself.
caf::error node_cgroup::limit_all() const {
  const std::string below = "/" + settings_.name;
  if (layout_.memory && settings_.memory_bytes != 0) {
    const bool v1 = layout_.memory->version == cgroup_version::v1;
    const std::string file = layout_.memory->root + below + (v1 ? "/memory.limit_in_bytes" : "/memory.max");
    if (auto err = limit_to(file, settings_.memory_bytes, "limit the memory of all sandboxes"))
      return err;
  }
  if (!layout_.pids)
    return {};
  return limit_to(layout_.pids->root + below + "/pids.max", limits::node_processes_max,
                  "limit the processes of all sandboxes");
}

caf::error node_cgroup::admit(int pid) const {
  for (const auto& hierarchy : layout_.hierarchies()) {
    if (hierarchy.version == cgroup_version::v1)
      continue;
    const std::string file = hierarchy.root + "/" + settings_.name + zygote_group + "/cgroup.procs";
    if (const int error = write_small_file(file, std::to_string(pid)))
      return make_error(errc::sandbox_failed, std::string{"take the zygote into its cgroup: "} + std::strerror(error));
  }
  return {};
}

node_cgroup::~node_cgroup() {
  if (settings_.name.empty())
    return;
  for (const auto& hierarchy : layout_.hierarchies()) {
    const std::string directory = hierarchy.root + "/" + settings_.name;
    remove_groups_below(directory);
    if (::rmdir(directory.c_str()) != 0 && errno != ENOENT)
      spdlog::warn("the cgroup {} stays behind: {}", settings_.name, std::strerror(errno));
  }
}

} // namespace troupe::handlers
