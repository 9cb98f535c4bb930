#include "handlers/sandbox/spawn.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/process.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

namespace troupe::handlers {
namespace {

/// posix_spawn's two objects, which need a destructor.
struct file_actions {
  posix_spawn_file_actions_t value;
  file_actions() { ::posix_spawn_file_actions_init(&value); }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  ~file_actions() { ::posix_spawn_file_actions_destroy(&value); }
};

struct attributes {
  posix_spawnattr_t value;
  attributes() { ::posix_spawnattr_init(&value); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  ~attributes() { ::posix_spawnattr_destroy(&value); }
};

void set_fresh_signals(attributes& to) {
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&to.value, &none);
  ::posix_spawnattr_setsigdefault(&to.value, &all);
  ::posix_spawnattr_setflags(&to.value, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

} // namespace

caf::expected<spawned> spawn(const std::vector<std::string>& command, std::span<const int> fds) {
  constexpr int first = 3;
  file_actions actions;
  ::posix_spawn_file_actions_addopen(&actions.value, 0, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_addopen(&actions.value, 1, "/dev/null", O_RDWR, 0);
  // Copies whose numbers are none of the targets', lest one overwrite another that is still to come.
  std::vector<unique_fd> copies;
  for (const int fd : fds) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, first + static_cast<int>(fds.size())));
    const int target = first + static_cast<int>(copies.size()) - 1;
    ::posix_spawn_file_actions_adddup2(&actions.value, copies.back().get(), target);
  }
  attributes fresh;
  set_fresh_signals(fresh);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str())); // posix_spawn only reads
  arguments.push_back(nullptr);
  char* environment[] = {nullptr};
  spawned result;
  if (const int error =
        ::posix_spawn(&result.pid, arguments[0], &actions.value, &fresh.value, arguments.data(), environment))
    return make_error(errc::sandbox_failed, std::string{"start the host program: "} + std::strerror(error));
  result.pidfd = open_process(result.pid);
  if (result.pidfd)
    return result;
  const int error = errno;
  ::kill(result.pid, SIGKILL);
  ::waitpid(result.pid, nullptr, 0);
  return make_error(errc::sandbox_failed, std::string{"watch the host program: "} + std::strerror(error));
}

} // namespace troupe::handlers
