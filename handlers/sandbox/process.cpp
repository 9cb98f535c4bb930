#include "handlers/sandbox/process.hpp"

#include "handlers/sandbox/small_file.hpp"

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include <poll.h>
#include <sys/wait.h>
extern "C" { // which glibc 2.36 forgets to say in there
#include <sys/pidfd.h>
}

namespace troupe::handlers {

bool wait_readable(int fd, std::chrono::milliseconds limit) noexcept {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + limit;
  for (auto left = limit; left.count() >= 0;
       left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now())) {
    pollfd entry{fd, POLLIN, 0};
    const int count = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (count >= 0 || errno != EINTR)
      return count > 0;
  }
  return false;
}

unique_fd open_process(int pid) noexcept {
  return unique_fd{::pidfd_open(pid, 0)};
}

int id_of(int pidfd) {
  constexpr std::string_view key = "\nPid:\t";
  const std::string text = read_small_file("/proc/self/fdinfo/" + std::to_string(pidfd)).value_or("");
  const size_t at = text.find(key);
  int id = 0;
  if (at != std::string::npos)
    std::from_chars(text.data() + at + key.size(), text.data() + text.size(), id);
  return id;
}

std::optional<siginfo_t> reap(int pidfd, std::chrono::milliseconds limit) noexcept {
  siginfo_t info{};
  // A pidfd is readable once the last thread has ended, so this wait does not block.
  if (!wait_readable(pidfd, limit) || ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) != 0)
    return std::nullopt;
  return info;
}

void send_kill(int pidfd) noexcept {
  ::pidfd_send_signal(pidfd, SIGKILL, nullptr, 0);
}

std::optional<siginfo_t> kill_and_reap(int pidfd, std::chrono::milliseconds limit) noexcept {
  send_kill(pidfd);
  return reap(pidfd, limit);
}

bool is_running(int pidfd) noexcept {
  return !wait_readable(pidfd, std::chrono::milliseconds{0});
}

} // namespace troupe::handlers
