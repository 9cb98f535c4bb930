#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

/// The file system that every sandbox sees: one read-only tmpfs with device nodes, links and a few files, and a
/// read-only bind mount of /usr and of each layer. Few mounts, since each is copied for every sandbox. Throws
/// std::system_error.
namespace troupe::handlers {

/// Builds the tree at `mount_point`, an empty directory, and leaves the working directory there. For a single-threaded
/// process with root's capabilities on the machine (device nodes cannot be made in a user namespace) and in a mount
/// namespace of its own: nothing is seen outside, and all is gone with that namespace. `resolv_conf` is what
/// /etc/resolv.conf says in it; `layers` are directories of the machine.
void build_tree(const std::string& mount_point, std::string_view resolv_conf, std::span<const std::string> layers);

/// Where a layer is in the tree.
std::string layer_path(size_t index);

/// Makes the tree, which is the working directory, the root of the calling process, which by now has user, mount and
/// PID namespaces of its own; the old root is gone from its sight. A sandbox cloned from it needs no pivot_root.
void enter_tree();

} // namespace troupe::handlers
