#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::handlers {

/// A line of a user namespace's id map: `count` ids from `inside` on are those from `outside` on to whoever made
/// the namespace.
struct id_map {
  uint32_t inside = 0;
  uint32_t outside = 0;
  uint32_t count = 1;

  std::string line() const;
};

/// How a node deals out the user ids that it has, and the group ids of the same numbers. To root a sandbox has a range
/// of its own; with fewer ids it has one of its own; with a single one it has the node's, and so has the zygote.
struct id_plan {
  uint32_t first = 0; ///< the zygote's root, as the node sees it
  uint32_t each = 0;  ///< of each sandbox; 0: there is only one, for all

  std::string of_zygote() const;                   ///< lines of a map below the node's
  id_map of_sandbox(uint32_t slot) const noexcept; ///< below the zygote's

  id_map inside_template() const noexcept; ///< of a shell below a template's: the same ids

  bool is_roots() const noexcept; ///< as root of the machine has it

  bool operator==(const id_plan&) const = default;
};

/// From the texts of the node's /proc/self/uid_map and gid_map.
id_plan plan_ids(std::string_view uid_map, std::string_view gid_map);

/// For the calling process.
id_plan plan_own_ids();

} // namespace troupe::handlers
