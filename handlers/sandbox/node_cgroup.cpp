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

/// A line of mountinfo, as far as it matters here (proc(5)): the mount point is the fifth field; after a lone hyphen
/// come file system type, source and options.
struct mount_line {
  std::string point;
  std::string type;
  std::string options;
};

std::optional<mount_line> parse_mount(const std::string& line) {
  std::istringstream fields{line};
  mount_line result;
  std::string field;
  for (int i = 0; i < 4; ++i)
    fields >> field;
  fields >> result.point;
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

/// Removes a group once its processes have ended; those of a killed node are ending by themselves, except that v1 lets
/// nobody end who stands still.
bool remove_group(const std::string& directory) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT)
    return true;
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

/// In v2, a controller reaches children only when their parent says so.
caf::error enable_below(const std::string& directory, const std::string& controllers) {
  if (controllers.empty())
    return {};
  if (const int error = write_small_file(directory + "/cgroup.subtree_control", controllers))
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
  const auto mounts = cgroup_mounts(mountinfo);
  cgroup_layout result{.memory = find_controller(mounts, "memory"),
                       .pids = find_controller(mounts, "pids"),
                       .cpu = find_controller(mounts, "cpu"),
                       .freezer = find_freezer(mounts)};
  if (const auto other = find_controller(mounts, "freezer"); other != result.freezer)
    result.late_freezer = other;
  return result;
}

node_cgroup::node_cgroup(cgroup_layout layout, node_cgroup_settings settings)
  : layout_{std::move(layout)}, settings_{std::move(settings)} {}

node_cgroup::node_cgroup(node_cgroup&& other) noexcept
  : layout_{std::move(other.layout_)}, settings_{std::exchange(other.settings_, {})} {}

caf::expected<node_cgroup> node_cgroup::make(cgroup_layout layout, node_cgroup_settings settings) {
  node_cgroup result{std::move(layout), std::move(settings)};
  for (const auto& hierarchy : result.layout_.hierarchies())
    if (auto err = result.prepare(hierarchy))
      return err;
  if (auto err = result.limit_all())
    return err;
  return result;
}

caf::error node_cgroup::prepare(const cgroup_controller& hierarchy) const {
  const std::string directory = hierarchy.root + "/" + settings_.name;
  if (!remove_groups_below(directory))
    return make_error(errc::already_running, "another node's sandboxes are in the cgroup " + settings_.name);
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return make_error(errc::not_supported, std::string{"making cgroups: "} + std::strerror(errno));
  if (hierarchy.version == cgroup_version::v1)
    return {};
  std::string controllers;
  for (const auto& [name, place] :
       {std::pair{"+memory", &layout_.memory}, std::pair{"+pids", &layout_.pids}, std::pair{"+cpu", &layout_.cpu}})
    if (*place == hierarchy)
      controllers += (controllers.empty() ? "" : " ") + std::string{name};
  if (auto err = enable_below(hierarchy.root, controllers))
    return err;
  if (auto err = enable_below(directory, controllers))
    return err;
  if (::mkdir((directory + zygote_group).c_str(), 0755) != 0
      || ::chown((directory + "/cgroup.procs").c_str(), settings_.owner, settings_.owner) != 0)
    return make_error(errc::not_supported, std::string{"making the zygote's cgroup: "} + std::strerror(errno));
  return {};
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
