#pragma once

#include <caf/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe::handlers {

/// The group around the groups of a template and of its copies, in the memory's hierarchy. What a copy was charged for
/// may outlive it, when the template holds on to it: pages that both map, buffers of a socket that was passed on. The
/// copy's group is gone then, and it counts here, so that it takes from the family and not from the node. Shared by
/// all in it; used by one thread.
class family_cgroup {
public:
  /// Takes over an empty group. An empty `directory` is a machine without the controller: nothing is limited.
  family_cgroup(std::string name, std::string directory) : name_{std::move(name)}, directory_{std::move(directory)} {}
  family_cgroup(const family_cgroup&) = delete;
  family_cgroup& operator=(const family_cgroup&) = delete;
  ~family_cgroup();

  /// The directory's, below the node's; empty: there is none.
  const std::string& name() const noexcept { return name_; }

  /// Lets all in it have as much together as that many sandboxes of `memory_mb` each, and a little for the holders of
  /// shells. Files that were read are given back for that. Fails with sandbox_failed, and leaves the limit as it was,
  /// when more memory is in use.
  caf::error limit(uint32_t memory_mb, size_t sandboxes);

private:
  caf::error write(const char* file, uint64_t value) const;
  caf::error make_do_with(uint64_t bytes) const;

  std::string name_;
  std::string directory_;
  size_t sandboxes_ = 0; ///< 0: not limited yet
};

} // namespace troupe::handlers
