#pragma once

#include "handlers/sandbox/family_cgroup.hpp"
#include "handlers/sandbox/freezer.hpp"
#include "handlers/sandbox/thaw_guard.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Limits by control groups: memory, number of processes, CPU; and standing still. Works with cgroup v1, with v2, and
/// with machines that have one controller here and one there (systemd's hybrid layout keeps a v2 hierarchy without
/// controllers beside v1).
namespace troupe::handlers {

/// The hierarchy that a controller is in, or a group's directory in it.
struct cgroup_controller {
  cgroup_version version = cgroup_version::v2;
  std::string root; ///< its mount point

  bool operator==(const cgroup_controller&) const = default;
};

/// How the processes of a sandbox come into their groups.
enum class cgroup_entry : uint8_t {
  birth,   ///< they are born in that of v2, and join those of v1
  joining, ///< they join all of them
};

/// Where a sandbox's groups are.
struct cgroup_place {
  std::string parent; ///< a directory in each hierarchy
  uint32_t slot = 0;
  std::string family{}; ///< another directory below that, in the memory's hierarchy; empty: none
};

/// Where the controllers are: of the machine, or of one group. One that is missing is not used; whether that is
/// allowed, others decide.
struct cgroup_layout {
  std::optional<cgroup_controller> memory;
  std::optional<cgroup_controller> pids;
  std::optional<cgroup_controller> cpu;
  std::optional<cgroup_controller> freezer; ///< every v2 hierarchy can, whatever its controllers
  /// Another freezer, of v1, beside one of v2: for processes that cannot be born in their group, since moving one
  /// between groups of v2 takes milliseconds.
  std::optional<cgroup_controller> late_freezer{};

  /// The names of those that are missing, with commas; empty when all are there.
  std::string missing() const;

  /// Each hierarchy once, however many controllers it has.
  std::vector<cgroup_controller> hierarchies() const;

  /// What a sandbox uses whose processes come in that way.
  cgroup_layout used_by(cgroup_entry how) const;

  /// The directories of that place in the same hierarchies.
  cgroup_layout below(const cgroup_place& where) const;
};

/// Finds the controllers from the text of /proc/self/mountinfo.
cgroup_layout find_cgroups(std::string_view mountinfo);

/// The same, as far as the caller may make groups there: at the roots as root, and else below its own groups, where
/// those were handed over to its user (delegated). `own_groups` is the text of /proc/self/cgroup.
cgroup_layout find_own_cgroups(std::string_view mountinfo, std::string_view own_groups);

/// For the calling process, on this machine.
cgroup_layout find_own_cgroups();

/// Writes the controllers to a group's subtree_control, each with the sign, and answers errno or 0.
int change_control(const std::string& directory, const char* sign, std::string_view controllers);

/// In v2, a controller reaches the groups below `directory` only when that says so, and it may not have processes of
/// its own then. What was done for that is undone with the object, as far as nobody else relies on it.
class handed_on_controllers {
public:
  /// Hands on those named in `controllers`, such as "memory pids". Where the calling process is in the way, it moves
  /// into a group `leaf` below. Fails with not_supported.
  static caf::expected<handed_on_controllers> make(const std::string& directory, const std::string& leaf,
                                                   const std::string& controllers);

  handed_on_controllers() = default;
  handed_on_controllers(handed_on_controllers&& other) noexcept;
  handed_on_controllers& operator=(handed_on_controllers&& other) noexcept;
  ~handed_on_controllers();

private:
  caf::error move_out_of_the_way();

  std::string directory_; ///< empty: there is nothing to undo
  std::string leaf_;      ///< a path; empty: this process is where it was
  std::string added_;     ///< controllers that were not handed on before
};

/// Limits of one sandbox.
struct sandbox_limits {
  uint32_t memory_mb = 0; ///< memory and swap together; CPU grows with it
};

/// The group of one sandbox: one directory in each hierarchy. Owned by one thread; removed with the object, by which
/// time its processes must be gone.
class sandbox_cgroup {
public:
  /// Makes it, with a limit of processes and no others yet. `owner` is the user who may make processes in it (v2).
  static caf::expected<sandbox_cgroup> make(const cgroup_layout& layout, const cgroup_place& where, uint32_t owner,
                                            cgroup_entry how = cgroup_entry::birth);

  sandbox_cgroup(sandbox_cgroup&& other) noexcept;
  sandbox_cgroup& operator=(sandbox_cgroup&&) = delete;
  ~sandbox_cgroup();

  /// Memory and swap together, swap alone is zero where the machine counts it; a weight of CPU that grows with memory,
  /// a core's at limits::memory_mb_a_core, and no more cores than that many, rounded up.
  caf::error limit(const sandbox_limits& to);

  /// The directory in which a process is born by clone3 (CLONE_INTO_CGROUP), in v2; empty when there is no v2.
  caf::expected<unique_fd> open_birthplace() const;

  /// The files to which a process writes "0" in order to join.
  caf::expected<std::vector<unique_fd>> open_joins() const;

  /// The file with the high-water mark of memory in bytes, as decimal text; empty when there is none.
  unique_fd open_memory_peak() const;

  /// The same for what is charged now.
  unique_fd open_memory_now() const;

  freezer open_freezer() const;

  /// Whether that process is in all of these groups.
  bool holds(int pid) const;

  uint64_t memory_peak_bytes() const; ///< 0 when unknown
  uint64_t processes() const;         ///< threads, too; 0 when unknown
  uint64_t oom_kills() const;         ///< processes that were killed at the limit, since the group was made

  /// Prepares it for another sandbox, once its processes are gone. False when it would start with traces of this one
  /// (memory still charged, a high-water mark that cannot be set back): then make a new one.
  bool recycle();

  /// Removes it ahead of the destructor; false when there is still somebody in there.
  bool remove();

private:
  sandbox_cgroup(cgroup_layout places, std::string parent, cgroup_entry how)
    : places_{std::move(places)}, parent_{std::move(parent)}, how_{how} {}
  caf::error limit_memory(uint64_t bytes);
  caf::error limit_cpu(uint32_t memory_mb);

  cgroup_layout places_; ///< empty once moved from, or removed
  std::string parent_;
  cgroup_entry how_;
  uint32_t limited_to_mb_ = 0; ///< 0: not yet
};

/// What bounds all sandboxes of a node together.
struct node_cgroup_settings {
  std::string name;          ///< one directory in each hierarchy, unique on the machine
  uint64_t memory_bytes = 0; ///< 0: as much as the machine gives
  uint32_t owner = 0;        ///< user of the zygote, which makes the sandboxes
};

/// The directory below which a node's sandboxes have theirs. Removed with the object.
class node_cgroup {
public:
  /// Makes it, after removing what a killed node left under that name. Fails with already_running when processes are
  /// in there that do not end, and with not_supported when the controllers cannot be had.
  static caf::expected<node_cgroup> make(cgroup_layout layout, node_cgroup_settings settings);

  node_cgroup(node_cgroup&& other) noexcept;
  node_cgroup& operator=(node_cgroup&&) = delete;
  ~node_cgroup();

  caf::expected<sandbox_cgroup> make_sandbox(uint32_t slot, cgroup_entry how = cgroup_entry::birth,
                                             const family_cgroup* family = nullptr) const;

  /// For a template and its copies; each needs another number.
  caf::expected<std::shared_ptr<family_cgroup>> make_family(uint32_t number) const;

  /// A process may make others in this node's groups only when it is itself in one of them (v2).
  caf::error admit(int pid) const;

private:
  node_cgroup(cgroup_layout layout, node_cgroup_settings settings);

  caf::error prepare(const cgroup_controller& hierarchy);
  std::string controllers_in(const cgroup_controller& hierarchy) const;
  caf::error limit_all() const;

  handed_on_controllers handed_on_; ///< in v2; goes last
  thaw_guard guard_;                ///< where v1 has a freezer
  cgroup_layout layout_;
  node_cgroup_settings settings_; ///< the name is empty once moved from
};

} // namespace troupe::handlers
