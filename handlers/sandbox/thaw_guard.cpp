#include "handlers/sandbox/thaw_guard.hpp"

#include "config/errc.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::handlers {

namespace {

constexpr int pipe_fd = 0;
constexpr int directory_fd = 1;

/// An entry as getdents64(2) gives it.
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t bytes;
  uint8_t type;
  char name[1]; ///< longer
};

void let_go_on(const char* group) {
  const int place = ::openat(directory_fd, group, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int state = place < 0 ? -1 : ::openat(place, "freezer.state", O_WRONLY | O_CLOEXEC);
  if (state >= 0)
    (void)!::write(state, "THAWED", 6); // a group that is going has nobody to thaw
  ::close(state);
  ::close(place);
}

/// What the child of a process with threads may do: system calls, and nothing that takes a lock or memory.
[[noreturn]] void guard() {
  ::setsid(); // what a terminal says to the node is nothing to the guard
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
    ::signal(ignored, SIG_IGN);
  ::prctl(PR_SET_NAME, "troupe-guard");
  char byte;
  while (::read(pipe_fd, &byte, 1) < 0 && errno == EINTR) {
  }
  alignas(entry) char entries[4096];
  for (long size; (size = ::syscall(SYS_getdents64, directory_fd, entries, sizeof entries)) > 0;)
    for (long at = 0; at < size;) {
      const auto* each = reinterpret_cast<const entry*>(entries + at);
      if (each->name[0] != '.')
        let_go_on(each->name);
      at += each->bytes;
    }
  ::_exit(0);
}

caf::error failure(const char* step) {
  return make_error(errc::not_supported,
                    std::string{"a guard for sandboxes that stand still: "} + step + ": " + std::strerror(errno));
}

} // namespace

caf::expected<thaw_guard> thaw_guard::start(const std::string& directory) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return failure("pipe");
  unique_fd waiting{ends[0]};
  unique_fd alive{ends[1]};
  const unique_fd groups{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!groups)
    return failure("its directory");
  // Above those that the child puts them to, so that neither overwrites the other.
  const unique_fd pipe_copy{::fcntl(waiting.get(), F_DUPFD_CLOEXEC, 3)};
  const unique_fd groups_copy{::fcntl(groups.get(), F_DUPFD_CLOEXEC, 3)};
  if (!pipe_copy || !groups_copy)
    return failure("its descriptors");
  const int pid = ::fork();
  if (pid < 0)
    return failure("fork");
  if (pid == 0) {
    if (::dup2(pipe_copy.get(), pipe_fd) != pipe_fd || ::dup2(groups_copy.get(), directory_fd) != directory_fd
        || ::syscall(SYS_close_range, directory_fd + 1, ~0U, 0) != 0)
      ::_exit(1);
    guard();
  }
  return thaw_guard{pid, std::move(alive)};
}

thaw_guard::thaw_guard(thaw_guard&& other) noexcept
  : pid_{std::exchange(other.pid_, -1)}, alive_{std::move(other.alive_)} {}

thaw_guard& thaw_guard::operator=(thaw_guard&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(alive_, other.alive_);
  return *this;
}

thaw_guard::~thaw_guard() {
  if (pid_ < 0)
    return;
  alive_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

} // namespace troupe::handlers
