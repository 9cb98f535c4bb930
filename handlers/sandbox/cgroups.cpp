#include "handlers/sandbox/cgroups.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/cpu_share.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// What may still be charged to a group when it is used again: the kernel's per-CPU stock and what it frees later.
/// Pages of files that a sandbox was first to read stay charged to its group; with more of those, it is not reused.
constexpr uint64_t leftover_bytes_max = 4 * limits::mib;

/// cpu.cfs_period_us and cpu.max: the kernel's own default.
constexpr uint64_t cpu_period_us = 100'000;

caf::error failed(const char* step, int error) {
  return make_error(errc::sandbox_failed, std::string{step} + ": " + std::strerror(error));
}

caf::error write_setting(const std::string& path, std::string_view text, const char* step) {
  const int error = write_small_file(path, text);
  return error == 0 ? caf::error{} : failed(step, error);
}

/// A setting that the machine may lack.
caf::error write_if_there(const std::string& path, std::string_view text, const char* step) {
  const int error = write_small_file(path, text);
  return error == 0 || error == ENOENT ? caf::error{} : failed(step, error);
}

/// The number after `key` and a space, at the start of a line of `text`.
uint64_t number_after(std::string_view key, std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ')
      return number_in(line.substr(key.size() + 1));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return 0;
}

size_t occurrences(std::string_view part, std::string_view text) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

bool is_v1(const cgroup_controller& place) noexcept {
  return place.version == cgroup_version::v1;
}

std::string peak_file(const cgroup_controller& memory) {
  return memory.root + (is_v1(memory) ? "/memory.max_usage_in_bytes" : "/memory.peak");
}

std::string usage_file(const cgroup_controller& memory) {
  return memory.root + (is_v1(memory) ? "/memory.usage_in_bytes" : "/memory.current");
}

unique_fd open_to_read(const std::string& path) {
  return unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
}

} // namespace

std::string cgroup_layout::missing() const {
  std::string names;
  for (const auto& [name, place] :
       {std::pair{"memory", &memory}, std::pair{"pids", &pids}, std::pair{"cpu", &cpu}, std::pair{"freezer", &freezer}})
    if (!*place)
      names += (names.empty() ? "" : ", ") + std::string{name};
  return names;
}

std::vector<cgroup_controller> cgroup_layout::hierarchies() const {
  std::vector<cgroup_controller> result;
  for (const auto* each : {&memory, &pids, &cpu, &freezer, &late_freezer})
    if (*each && std::ranges::find(result, **each) == result.end())
      result.push_back(**each);
  return result;
}

cgroup_layout cgroup_layout::used_by(cgroup_entry how) const {
  cgroup_layout result = *this;
  if (how == cgroup_entry::joining && late_freezer)
    result.freezer = late_freezer;
  result.late_freezer.reset();
  return result;
}

cgroup_layout cgroup_layout::below(const cgroup_place& where) const {
  cgroup_layout result = *this;
  for (auto* each : {&result.memory, &result.pids, &result.cpu, &result.freezer, &result.late_freezer})
    if (*each) {
      const bool in_family = !where.family.empty() && *each == memory;
      (*each)->root += "/" + where.parent + (in_family ? "/" + where.family : "") + "/" + std::to_string(where.slot);
    }
  return result;
}

sandbox_cgroup::sandbox_cgroup(sandbox_cgroup&& other) noexcept
  : places_{std::exchange(other.places_, {})},
    parent_{std::move(other.parent_)},
    how_{other.how_},
    limited_to_mb_{other.limited_to_mb_} {}

caf::expected<sandbox_cgroup> sandbox_cgroup::make(const cgroup_layout& layout, const cgroup_place& where,
                                                   uint32_t owner, cgroup_entry how) {
  sandbox_cgroup result{layout.used_by(how).below(where), where.parent, how};
  const auto& memory = result.places_.memory;
  const auto& pids = result.places_.pids;
  const auto& freezer = result.places_.freezer;
  for (const auto& directory : result.places_.hierarchies())
    if (::mkdir(directory.root.c_str(), 0755) != 0 && errno != EEXIST)
      return failed("make a cgroup", errno);
  if (freezer && !is_v1(*freezer) && ::chown((freezer->root + "/cgroup.procs").c_str(), owner, owner) != 0)
    return failed("give a cgroup to the zygote", errno);
  if (pids)
    if (auto err =
          write_setting(pids->root + "/pids.max", std::to_string(limits::processes_max), "limit the processes"))
      return err;
  if (memory && is_v1(*memory)) // v1 counts the buffers of TCP apart from all other memory
    if (auto err = write_if_there(memory->root + "/memory.kmem.tcp.limit_in_bytes",
                                  std::to_string(limits::tcp_buffer_bytes_max), "limit the buffers of TCP"))
      return err;
  if (memory && is_v1(*memory)) // or a limit that falls would send pages to the disk while the launcher waits
    if (auto err = write_if_there(memory->root + "/memory.swappiness", "0", "keep memory from being swapped"))
      return err;
  if (memory && !is_v1(*memory)) // a sandbox that has lost one process to its limit is lost
    if (auto err = write_if_there(memory->root + "/memory.oom.group", "1", "bind the cgroup's fate"))
      return err;
  return result;
}

sandbox_cgroup::~sandbox_cgroup() {
  if (!remove())
    spdlog::warn("a cgroup of a sandbox stays behind: {}", std::strerror(errno));
}

bool sandbox_cgroup::remove() {
  for (const auto& directory : places_.hierarchies())
    if (::rmdir(directory.root.c_str()) != 0 && errno != ENOENT)
      return false;
  places_ = {};
  return true;
}

caf::error sandbox_cgroup::limit(const sandbox_limits& to) {
  if (to.memory_mb == limited_to_mb_) // most functions have what groups are made with, ahead
    return {};
  if (auto err = limit_memory(uint64_t{to.memory_mb} * limits::mib))
    return err;
  if (auto err = limit_cpu(to.memory_mb))
    return err;
  limited_to_mb_ = to.memory_mb;
  return {};
}

caf::error sandbox_cgroup::limit_memory(uint64_t bytes) {
  if (!places_.memory)
    return {};
  const std::string text = std::to_string(bytes);
  const std::string& directory = places_.memory->root;
  if (!is_v1(*places_.memory)) {
    if (auto err = write_setting(directory + "/memory.max", text, "limit the memory"))
      return err;
    return write_if_there(directory + "/memory.swap.max", "0", "limit the swap");
  }
  const auto limit_both = [&] {
    return write_if_there(directory + "/memory.memsw.limit_in_bytes", text, "limit memory and swap");
  };
  // The sum of both is never the smaller limit.
  if (bytes > uint64_t{limited_to_mb_} * limits::mib && limited_to_mb_ != 0)
    if (auto err = limit_both())
      return err;
  if (auto err = write_setting(directory + "/memory.limit_in_bytes", text, "limit the memory"))
    return err;
  return limit_both();
}

caf::error sandbox_cgroup::limit_cpu(uint32_t memory_mb) {
  if (!places_.cpu)
    return {};
  const uint64_t cores = (memory_mb + limits::memory_mb_a_core - 1) / limits::memory_mb_a_core;
  const std::string quota = std::to_string(cores * cpu_period_us);
  const std::string& directory = places_.cpu->root;
  if (!is_v1(*places_.cpu)) {
    if (auto err =
          write_setting(directory + "/cpu.weight", std::to_string(cpu_share::of_v2(memory_mb)), "weigh the CPU"))
      return err;
    return write_if_there(directory + "/cpu.max", quota + " " + std::to_string(cpu_period_us), "limit the CPU");
  }
  if (auto err = write_setting(directory + "/cpu.shares", std::to_string(cpu_share::of_v1(memory_mb)), "weigh the CPU"))
    return err;
  return write_if_there(directory + "/cpu.cfs_quota_us", quota, "limit the CPU");
}

caf::expected<unique_fd> sandbox_cgroup::open_birthplace() const {
  if (!places_.freezer || is_v1(*places_.freezer) || how_ != cgroup_entry::birth)
    return unique_fd{};
  unique_fd result{::open(places_.freezer->root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!result)
    return failed("open a cgroup", errno);
  return result;
}

caf::expected<std::vector<unique_fd>> sandbox_cgroup::open_joins() const {
  std::vector<unique_fd> result;
  for (const auto& directory : places_.hierarchies()) {
    if (!is_v1(directory) && how_ == cgroup_entry::birth)
      continue;
    // Writing `tasks` moves one thread and takes none of the locks that make `cgroup.procs` wait for milliseconds.
    const char* file = is_v1(directory) ? "/tasks" : "/cgroup.procs";
    result.emplace_back(::open((directory.root + file).c_str(), O_WRONLY | O_CLOEXEC));
    if (!result.back())
      return failed("open a cgroup", errno);
  }
  return result;
}

unique_fd sandbox_cgroup::open_memory_peak() const {
  return places_.memory ? open_to_read(peak_file(*places_.memory)) : unique_fd{};
}

unique_fd sandbox_cgroup::open_memory_now() const {
  return places_.memory ? open_to_read(usage_file(*places_.memory)) : unique_fd{};
}

freezer sandbox_cgroup::open_freezer() const {
  if (!places_.freezer)
    return {};
  const std::string path = places_.freezer->root + (is_v1(*places_.freezer) ? "/freezer.state" : "/cgroup.freeze");
  unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  static std::atomic_flag told;
  if (!file && !told.test_and_set())
    spdlog::warn("idle sandboxes do not stand still: open a cgroup's freezer: {}", std::strerror(errno));
  return {places_.freezer->version, std::move(file)};
}

bool sandbox_cgroup::holds(int pid) const {
  const auto text = read_small_file("/proc/" + std::to_string(pid) + "/cgroup").value_or("");
  // A line for each hierarchy ends with the path below its root, and that with the names from the node's on.
  std::map<std::string, size_t> ends;
  for (const auto& directory : places_.hierarchies())
    ++ends[directory.root.substr(directory.root.rfind("/" + parent_ + "/")) + "\n"];
  return std::ranges::all_of(ends, [&text](const auto& end) { return occurrences(end.first, text) == end.second; });
}

uint64_t sandbox_cgroup::processes() const {
  return places_.pids ? read_small_number(places_.pids->root + "/pids.current") : 0;
}

uint64_t sandbox_cgroup::memory_peak_bytes() const {
  return places_.memory ? read_small_number(peak_file(*places_.memory)) : 0;
}

uint64_t sandbox_cgroup::oom_kills() const {
  if (!places_.memory)
    return 0;
  const auto text =
    read_small_file(places_.memory->root + (is_v1(*places_.memory) ? "/memory.oom_control" : "/memory.events"));
  return text ? number_after("oom_kill", *text) : 0;
}

bool sandbox_cgroup::recycle() {
  if (!places_.memory)
    return true;
  if (!is_v1(*places_.memory))
    return false; // memory.peak cannot be set back for readers to come
  return read_small_number(usage_file(*places_.memory)) <= leftover_bytes_max
      && write_small_file(places_.memory->root + "/memory.max_usage_in_bytes", "0") == 0
      && !limit({.memory_mb = limits::memory_mb_default});
}

} // namespace troupe::handlers
