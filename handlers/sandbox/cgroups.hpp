#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Limits by control groups: memory and number of processes. Works with cgroup v1, with v2, and with machines that have
/// one controller here and one there (systemd's hybrid layout keeps a v2 hierarchy without controllers beside v1).
namespace troupe::handlers {

enum class cgroup_version : uint8_t { v1, v2 };

/// The hierarchy that a controller is in.
struct cgroup_controller {
  cgroup_version version = cgroup_version::v2;
  std::string root; ///< its mount point
};

struct cgroup_layout {
  cgroup_controller memory;
  cgroup_controller pids;
};

/// Finds the controllers from the text of /proc/self/mountinfo. Fails with not_supported, naming the one that no
/// mounted hierarchy has.
caf::expected<cgroup_layout> find_cgroups(std::string_view mountinfo);

/// The group of one sandbox: one directory, or one in each of two hierarchies. Owned by one thread; removed with the
/// object, by which time its processes must be gone.
class sandbox_cgroup {
public:
  /// Makes it below the directory `parent` of the hierarchies, with a limit of processes and none of memory yet.
  static caf::expected<sandbox_cgroup> make(const cgroup_layout& layout, const std::string& parent, uint32_t slot);

  sandbox_cgroup(sandbox_cgroup&& other) noexcept;
  sandbox_cgroup& operator=(sandbox_cgroup&&) = delete;
  ~sandbox_cgroup();

  /// Memory and swap together; swap alone is zero where the machine counts it.
  caf::error limit_memory(uint64_t bytes);

  /// Files to which a process writes "0" in order to join.
  caf::expected<std::vector<unique_fd>> open_joins() const;

  /// The file with the high-water mark of memory in bytes, as decimal text; empty on kernels without it.
  unique_fd open_memory_peak() const;

  uint64_t memory_peak_bytes() const; ///< 0 when unknown
  uint64_t oom_kills() const;         ///< processes that were killed at the limit, since the group was made

  /// Prepares it for another sandbox, once its processes are gone. False when it would start with traces of this one
  /// (memory still charged, a high-water mark that cannot be set back): then make a new one.
  bool recycle();

private:
  sandbox_cgroup(cgroup_version memory_version, std::string memory_dir, std::string pids_dir,
                 cgroup_version pids_version);

  cgroup_version memory_version_;
  cgroup_version pids_version_;
  std::string memory_dir_; ///< empty once moved from
  std::string pids_dir_;   ///< the same when both controllers are in one hierarchy
};

/// The directory below which a node's sandboxes have theirs. Removed with the object.
class node_cgroup {
public:
  /// Makes it, after removing what a killed node left under that name. Fails with already_running when processes are
  /// in there that do not end, and with not_supported when the controllers cannot be had.
  static caf::expected<node_cgroup> make(cgroup_layout layout, std::string name);

  node_cgroup(node_cgroup&& other) noexcept;
  node_cgroup& operator=(node_cgroup&&) = delete;
  ~node_cgroup();

  caf::expected<sandbox_cgroup> make_sandbox(uint32_t slot) const { return sandbox_cgroup::make(layout_, name_, slot); }

private:
  node_cgroup(cgroup_layout layout, std::string name);

  std::vector<std::string> directories() const;

  cgroup_layout layout_;
  std::string name_; ///< empty once moved from
};

} // namespace troupe::handlers
