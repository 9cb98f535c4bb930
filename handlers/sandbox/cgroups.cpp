#include "handlers/sandbox/cgroups.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// What may still be charged to a group when it is used again: the kernel's per-CPU stock and what it frees later.
/// Pages of files that a sandbox was first to read stay charged to its group; with more of those, it is not reused.
constexpr uint64_t leftover_bytes_max = 4 * limits::mib;

const char* join_file(cgroup_version version) {
  // Writing `tasks` moves one thread and takes none of the locks that make `cgroup.procs` wait for milliseconds.
  return version == cgroup_version::v1 ? "/tasks" : "/cgroup.procs";
}

caf::error failed(const char* step, int error) {
  return make_error(errc::sandbox_failed, std::string{step} + ": " + std::strerror(error));
}

/// A setting that the machine may lack.
caf::error write_if_there(const std::string& path, std::string_view text, const char* step) {
  const int error = write_small_file(path, text);
  return error == 0 || error == ENOENT ? caf::error{} : failed(step, error);
}

uint64_t number_in(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
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

uint64_t read_number(const std::string& path) {
  const auto text = read_small_file(path);
  return text ? number_in(*text) : 0;
}

const char* peak_file(cgroup_version version) {
  return version == cgroup_version::v1 ? "/memory.max_usage_in_bytes" : "/memory.peak";
}

} // namespace

sandbox_cgroup::sandbox_cgroup(cgroup_version memory_version, std::string memory_dir, std::string pids_dir,
                               cgroup_version pids_version)
  : memory_version_{memory_version},
    pids_version_{pids_version},
    memory_dir_{std::move(memory_dir)},
    pids_dir_{std::move(pids_dir)} {}

sandbox_cgroup::sandbox_cgroup(sandbox_cgroup&& other) noexcept
  : memory_version_{other.memory_version_},
    pids_version_{other.pids_version_},
    memory_dir_{std::exchange(other.memory_dir_, {})},
    pids_dir_{std::exchange(other.pids_dir_, {})} {}

caf::expected<sandbox_cgroup> sandbox_cgroup::make(const cgroup_layout& layout, const std::string& parent,
                                                   uint32_t slot) {
  const std::string below = "/" + parent + "/" + std::to_string(slot);
  sandbox_cgroup result{layout.memory.version, layout.memory.root + below, layout.pids.root + below,
                        layout.pids.version};
  for (const std::string* directory : {&result.memory_dir_, &result.pids_dir_})
    if (::mkdir(directory->c_str(), 0755) != 0 && errno != EEXIST)
      return failed("make a cgroup", errno);
  if (const int error = write_small_file(result.pids_dir_ + "/pids.max", std::to_string(limits::processes_max)))
    return failed("limit the processes", error);
  if (layout.memory.version == cgroup_version::v2) // a sandbox that has lost one process to its limit is lost
    if (auto err = write_if_there(result.memory_dir_ + "/memory.oom.group", "1", "bind the cgroup's fate"))
      return err;
  return result;
}

sandbox_cgroup::~sandbox_cgroup() {
  if (memory_dir_.empty())
    return;
  for (const std::string* directory : {&memory_dir_, &pids_dir_})
    if (::rmdir(directory->c_str()) != 0 && errno != ENOENT)
      spdlog::warn("a cgroup of a sandbox stays behind: {}", std::strerror(errno));
}

caf::error sandbox_cgroup::limit_memory(uint64_t bytes) {
  const std::string text = std::to_string(bytes);
  const bool v1 = memory_version_ == cgroup_version::v1;
  if (const int error = write_small_file(memory_dir_ + (v1 ? "/memory.limit_in_bytes" : "/memory.max"), text))
    return failed("limit the memory", error);
  return v1 ? write_if_there(memory_dir_ + "/memory.memsw.limit_in_bytes", text, "limit memory and swap")
            : write_if_there(memory_dir_ + "/memory.swap.max", "0", "limit the swap");
}

caf::expected<std::vector<unique_fd>> sandbox_cgroup::open_joins() const {
  std::vector<unique_fd> result;
  result.emplace_back(::open((memory_dir_ + join_file(memory_version_)).c_str(), O_WRONLY | O_CLOEXEC));
  if (pids_dir_ != memory_dir_)
    result.emplace_back(::open((pids_dir_ + join_file(pids_version_)).c_str(), O_WRONLY | O_CLOEXEC));
  for (const unique_fd& file : result)
    if (!file)
      return failed("open a cgroup", errno);
  return result;
}

unique_fd sandbox_cgroup::open_memory_peak() const {
  return unique_fd{::open((memory_dir_ + peak_file(memory_version_)).c_str(), O_RDONLY | O_CLOEXEC)};
}

uint64_t sandbox_cgroup::memory_peak_bytes() const {
  return read_number(memory_dir_ + peak_file(memory_version_));
}

uint64_t sandbox_cgroup::oom_kills() const {
  const auto text =
    read_small_file(memory_dir_ + (memory_version_ == cgroup_version::v1 ? "/memory.oom_control" : "/memory.events"));
  return text ? number_after("oom_kill", *text) : 0;
}

bool sandbox_cgroup::recycle() {
  if (memory_version_ == cgroup_version::v2)
    return false; // memory.peak cannot be set back for readers to come
  return read_number(memory_dir_ + "/memory.usage_in_bytes") <= leftover_bytes_max
      && !write_if_there(memory_dir_ + "/memory.memsw.limit_in_bytes", "-1", "lift a limit")
      && write_small_file(memory_dir_ + "/memory.limit_in_bytes", "-1") == 0
      && write_small_file(memory_dir_ + "/memory.max_usage_in_bytes", "0") == 0;
}

} // namespace troupe::handlers
