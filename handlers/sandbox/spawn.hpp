#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <caf/expected.hpp>

#include <span>
#include <string>
#include <vector>

namespace troupe::handlers {

struct spawned {
  int pid = 0;
  unique_fd pidfd;
};

/// Starts a program with an empty environment, in a session of its own (a terminal's Ctrl-C is for the node alone),
/// with no signal blocked or ignored, and with these descriptors: 0 and 1 are /dev/null, 2 is the caller's, `fds`
/// follow from 3 on. Callable while other threads run. Fails with sandbox_failed.
caf::expected<spawned> spawn(const std::vector<std::string>& command, std::span<const int> fds);

} // namespace troupe::handlers
