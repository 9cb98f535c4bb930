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

std::optional<cgroup_controller> find_controller(std::string_view mountinfo, std::string_view name) {
  std::istringstream lines{std::string{mountinfo}};
  for (std::string line; std::getline(lines, line);) {
    const auto mount = parse_mount(line);
    if (mount && mount->type == "cgroup" && has_word(mount->options, ',', name))
      return cgroup_controller{cgroup_version::v1, mount->point};
    if (!mount || mount->type != "cgroup2")
      continue;
    auto controllers = read_small_file(mount->point + "/cgroup.controllers");
    if (controllers && controllers->ends_with('\n'))
      controllers->pop_back();
    if (controllers && has_word(*controllers, ' ', name))
      return cgroup_controller{cgroup_version::v2, mount->point};
  }
  return std::nullopt;
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

/// Removes a group once its processes have ended; those of a killed node are ending by themselves.
bool remove_group(const std::string& directory) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT)
    return true;
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
  if (const int error = write_small_file(directory + "/cgroup.subtree_control", controllers))
    return make_error(errc::not_supported,
                      "cgroup v2 controllers " + controllers + " for new groups: " + std::strerror(error));
  return {};
}

} // namespace

caf::expected<cgroup_layout> find_cgroups(std::string_view mountinfo) {
  const auto memory = find_controller(mountinfo, "memory");
  if (!memory)
    return make_error(errc::not_supported, "the cgroup controller memory (neither v1 nor v2 has it)");
  const auto pids = find_controller(mountinfo, "pids");
  if (!pids)
    return make_error(errc::not_supported, "the cgroup controller pids (neither v1 nor v2 has it)");
  return cgroup_layout{*memory, *pids};
}

node_cgroup::node_cgroup(cgroup_layout layout, std::string name) : layout_{std::move(layout)}, name_{std::move(name)} {}

node_cgroup::node_cgroup(node_cgroup&& other) noexcept
  : layout_{std::move(other.layout_)}, name_{std::exchange(other.name_, {})} {}

std::vector<std::string> node_cgroup::directories() const {
  std::vector<std::string> result{layout_.memory.root + "/" + name_};
  if (layout_.pids.root != layout_.memory.root)
    result.push_back(layout_.pids.root + "/" + name_);
  return result;
}

caf::expected<node_cgroup> node_cgroup::make(cgroup_layout layout, std::string name) {
  node_cgroup result{std::move(layout), std::move(name)};
  for (const std::string& directory : result.directories()) {
    if (!remove_groups_below(directory))
      return make_error(errc::already_running, "another node's sandboxes are in the cgroup " + result.name_);
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
      return make_error(errc::not_supported, std::string{"making cgroups: "} + std::strerror(errno));
  }
  const bool together = result.layout_.memory.root == result.layout_.pids.root;
  for (const auto& [controller, names] : {std::pair{&result.layout_.memory, together ? "+memory +pids" : "+memory"},
                                          std::pair{&result.layout_.pids, "+pids"}}) {
    if (controller->version == cgroup_version::v1)
      continue;
    for (const std::string& directory : {controller->root, controller->root + "/" + result.name_})
      if (auto err = enable_below(directory, names))
        return err;
  }
  return result;
}

node_cgroup::~node_cgroup() {
  if (name_.empty())
    return;
  for (const std::string& directory : directories()) {
    remove_groups_below(directory);
    if (::rmdir(directory.c_str()) != 0 && errno != ENOENT)
      spdlog::warn("the cgroup {} stays behind: {}", name_, std::strerror(errno));
  }
}

} // namespace troupe::handlers
