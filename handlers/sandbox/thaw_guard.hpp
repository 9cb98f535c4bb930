#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <caf/expected.hpp>

#include <string>

namespace troupe::handlers {

/// A process that outlives the node by a moment, where sandboxes stand still by cgroup v1: there nobody can end who
/// stands still, not even by SIGKILL, so that those of a killed node would stay. It waits for the node's end, however
/// that comes, lets all groups of the node go on, and ends.
class thaw_guard {
public:
  thaw_guard() = default;

  /// For the groups in that directory of the freezer's hierarchy. Fails with not_supported when there can be no
  /// process.
  static caf::expected<thaw_guard> start(const std::string& directory);

  thaw_guard(thaw_guard&& other) noexcept;
  thaw_guard& operator=(thaw_guard&& other) noexcept;
  ~thaw_guard();

private:
  thaw_guard(int pid, unique_fd alive) : pid_{pid}, alive_{std::move(alive)} {}

  int pid_ = -1;
  unique_fd alive_; ///< closed when the node ends
};

} // namespace troupe::handlers
