#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Messages that carry file descriptors, between processes that trust each other (node and zygote).
namespace troupe::wire {

/// Most descriptors of one message.
inline constexpr size_t passed_fds_max = 16;

struct fd_message {
  std::string bytes;
  std::vector<unique_fd> fds; ///< close-on-exec
};

/// Sends `bytes` with `fds` as one message on a SEQPACKET socket; `fds` stay the caller's. False with errno set: EAGAIN
/// when the peer does not read, EPIPE when it is gone.
bool send_message(int socket, std::string_view bytes, std::span<const int> fds = {}) noexcept;

/// Receives one message, waiting for it on a blocking socket. nullopt with errno set: 0 when the peer is gone, EMSGSIZE
/// when the message held more than `bytes_max` bytes or passed_fds_max descriptors, EAGAIN when there is none.
std::optional<fd_message> receive_message(int socket, size_t bytes_max);

} // namespace troupe::wire
