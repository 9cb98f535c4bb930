#include "handlers/wire/fd_passing.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace troupe::wire {
namespace {

constexpr size_t control_bytes = CMSG_SPACE(sizeof(int) * passed_fds_max);

std::vector<unique_fd> take_fds(msghdr& message) {
  std::vector<unique_fd> result;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      result.emplace_back(fd);
    }
  }
  return result;
}

} // namespace

bool send_message(int socket, std::string_view bytes, std::span<const int> fds) noexcept {
  if (fds.size() > passed_fds_max) {
    errno = EMSGSIZE;
    return false;
  }
  alignas(cmsghdr) char control[control_bytes] = {};
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()}; // sendmsg only reads
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

std::optional<fd_message> receive_message(int socket, size_t bytes_max) {
  fd_message result;
  result.bytes.resize(bytes_max);
  alignas(cmsghdr) char control[control_bytes];
  iovec vector{result.bytes.data(), result.bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t received = 0;
  do {
    received = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0)
    return std::nullopt;
  result.fds = take_fds(message);
  if (received == 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    errno = received == 0 ? 0 : EMSGSIZE;
    return std::nullopt;
  }
  result.bytes.resize(static_cast<size_t>(received));
  return result;
}

} // namespace troupe::wire
