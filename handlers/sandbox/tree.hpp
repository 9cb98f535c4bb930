#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

/// The file system that every sandbox sees: one read-only tmpfs with device nodes, links and a few files, and a
/// read-only bind mount of /usr and of each layer. Few mounts, since each is copied for every sandbox. Throws
/// std::system_error.
namespace troupe::handlers {

/// Where a sandbox's bundle is in the tree.
inline constexpr const char* bundle_path = "/var/task";

struct tree_plan {
  std::string mount_point;             ///< an empty directory
  std::string_view resolv_conf;        ///< what /etc/resolv.conf says in it
  std::span<const std::string> layers; ///< directories of the machine
  struct {
    std::string_view name;
    std::string_view text;
  } rehearsal; ///< the file that stands where the bundle will be, until that covers it
};

/// Builds the tree and leaves the working directory there. For a single-threaded process with root's capabilities on
/// the machine (device nodes cannot be made in a user namespace) and in a mount namespace of its own: nothing is seen
/// outside, and all is gone with that namespace.
void build_tree(const tree_plan& plan);

/// Where a layer is in the tree.
std::string layer_path(size_t index);

/// Makes the tree, which is the working directory, the root of the calling process, which by now has user, mount and
/// PID namespaces of its own; the old root is gone from its sight. A sandbox cloned from it needs no pivot_root.
void enter_tree();

} // namespace troupe::handlers
