#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <caf/expected.hpp>

#include <string>
#include <vector>

/// What is made anew for each launch: pipes, sockets, and the bundle as a mount.
namespace troupe::handlers {

/// One side's ends of the ways between node and sandbox.
struct channel_ends {
  unique_fd events;
  unique_fd answers;
  unique_fd log;
  unique_fd set_up; ///< zygote_protocol.hpp

  /// In the order of launch_fd.
  std::vector<int> numbers() const { return {events.get(), answers.get(), log.get(), set_up.get()}; }
};

struct launch_ends {
  channel_ends ours; ///< non-blocking
  channel_ends childs;
};

/// A socket for messages (SOCK_SEQPACKET).
struct socket_ends {
  unique_fd ours; ///< non-blocking
  unique_fd childs;
};

/// These fail with sandbox_failed.
caf::expected<launch_ends> make_ends();
caf::expected<socket_ends> make_sockets();

/// What a process takes along that enters a shell, in the order of enter_fd.
std::vector<int> fds_to_enter(const unique_fd& holder, const std::vector<unique_fd>& cgroups, const channel_ends& ends);

/// A bundle's directory as a mount of its own that nobody has attached yet: read-only whatever the directory is.
caf::expected<unique_fd> mount_bundle(const std::string& directory);

} // namespace troupe::handlers
