#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <sys/types.h>

/// Ids that the machine leaves to an ordinary user besides his own, and the programs with the privilege to hand them
/// over: newuidmap and newgidmap.
namespace troupe::handlers {

/// The first id of the first range that has `count` of them, in the text of /etc/subuid or /etc/subgid (subuid(5)).
/// nullopt when the user, by name or number, has no such range.
std::optional<uint32_t> find_sub_ids(std::string_view text, std::string_view name, uint32_t user, uint32_t count);

/// Maps ids into the user namespace that this process makes. What does that stays outside as a child, which ends with
/// this object. To be made and used while the process has one thread.
class sub_id_mapper {
public:
  sub_id_mapper(uid_t user, gid_t group);
  sub_id_mapper(const sub_id_mapper&) = delete;
  sub_id_mapper& operator=(const sub_id_mapper&) = delete;
  ~sub_id_mapper();

  /// Maps 0 to the user, and as many ids from 1 on as sandboxes want. False when there are none to be had.
  bool map();

private:
  pid_t helper_ = -1; ///< none, when the user has no such ids
  int start_ = -1;    ///< the writing end of a pipe
};

} // namespace troupe::handlers
