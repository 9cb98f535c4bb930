#include "handlers/sandbox/shell.hpp"

#include "handlers/sandbox/cage.hpp"
#include "handlers/sandbox/clone.hpp"
#include "handlers/sandbox/namespaces.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// A shell on its way, in the memory that messenger and zygote share.
struct shell_errand {
  const shell_order& order;
  int* thread_id;
  made_by_messenger& made;
  const char* failed = "send a messenger";
  int error = 0;

  int fail(const char* step) noexcept {
    failed = step;
    error = errno;
    return 1;
  }
};

/// From here on it is the template's user, and whatever user namespace it makes is owned by that user, who may enter
/// it. The rights that writing the id maps takes stay.
const char* become_owner(int template_holder) noexcept {
  if (::setns(template_holder, CLONE_NEWUSER | CLONE_NEWPID) != 0)
    return "enter the template's user namespace";
  if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0)
    return "keep the rights";
  // glibc would tell all threads of the zygote, whose memory this is.
  if (::syscall(SYS_setresgid, cage_user, cage_user, cage_user) != 0
      || ::syscall(SYS_setresuid, cage_user, cage_user, cage_user) != 0)
    return "become the template's user";
  return nullptr;
}

/// The id of a process in the PID namespace whose /proc is seen here; 0 when it cannot be told.
pid_t id_seen_here(int pidfd) noexcept {
  char path[48];
  char text[512] = {};
  std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  const unique_fd file{::open(path, O_RDONLY | O_CLOEXEC)};
  if (!file || ::read(file.get(), text, sizeof text - 1) <= 0)
    return 0;
  const char* line = std::strstr(text, "\nPid:\t");
  return line != nullptr ? static_cast<pid_t>(std::strtol(line + std::strlen("\nPid:\t"), nullptr, 10)) : 0;
}

[[noreturn]] void hold(const shell_order& order) noexcept {
  ::close(order.gate_end);
  char byte = 0;
  if (::read(order.gate, &byte, 1) != 1)
    ::_exit(125);
  ::prctl(PR_SET_NAME, "troupe-shell");
  ::signal(SIGCHLD, SIG_IGN); // who is left behind in there is its child, and nobody's concern
  hold_shell({.set_up = order.set_up, .templates = order.inside < 0, .cgroups = order.cgroups});
}

int clone_holder(void* argument) {
  auto& errand = *static_cast<shell_errand*>(argument);
  const pid_t pid =
    clone_sibling(shell_namespaces() & ~uint64_t{CLONE_NEWCGROUP}, -1, errand.made.process, errand.thread_id);
  if (pid == 0)
    hold(errand.order);
  return pid < 0 ? errand.fail("clone a shell") : 0;
}

/// A PID namespace is made by somebody inside the one around it, and setns() moves children only: so by a messenger of
/// the messenger.
int make_holder(void* argument) {
  auto& errand = *static_cast<shell_errand*>(argument);
  const auto& order = errand.order;
  errand.failed = nullptr;
  if (order.inside >= 0)
    if (const char* step = become_owner(order.inside))
      return errand.fail(step);
  // A change of ids makes the memory undumpable, and the files in /proc the machine's root's.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0)
    return errand.fail("own the files in /proc");
  if (!send_messenger(clone_holder, argument, errand.made.second_messenger))
    return errand.fail("send a second messenger");
  if (errand.failed != nullptr)
    return 1;
  try {
    write_id_maps(id_seen_here(errand.made.process.get()), order.ids);
  } catch (const std::system_error& failure) {
    errno = failure.code().value();
    return errand.fail("map the ids of a shell");
  }
  return 0;
}

struct entry_errand {
  int holder;
  std::span<const int> cgroups;
  void (*arrive)(void*);
  void* argument;
  int* thread_id;
  unique_fd& child;
  const char* failed = "send a messenger";
  int error = 0;

  int fail(const char* step) noexcept {
    failed = step;
    error = errno;
    return 1;
  }
};

int lead_in(void* argument) {
  auto& errand = *static_cast<entry_errand*>(argument);
  for (const int tasks : errand.cgroups)
    if (::write(tasks, "0", 1) != 1)
      return errand.fail("join the cgroups");
  if (::setns(errand.holder, static_cast<int>(shell_namespaces())) != 0)
    return errand.fail("enter the shell");
  int pidfd = -1;
  // clone, since a template's filter cannot read the arguments of clone3. The thread's id is the fourth argument on
  // some machines and the fifth on others, where the other one is not looked at.
  const long pid = ::syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, nullptr,
                             &pidfd, errand.thread_id, errand.thread_id);
  if (pid == 0) {
    errand.arrive(errand.argument);
    ::_exit(127);
  }
  if (pid < 0)
    return errand.fail("clone into the shell");
  errand.child.reset(pidfd);
  errand.failed = nullptr;
  return 0;
}

} // namespace

uint64_t shell_namespaces() noexcept {
  return sandbox_namespaces() | CLONE_NEWNET | CLONE_NEWCGROUP;
}

const char* make_shell(const shell_order& order, made_by_messenger& made) noexcept {
  shell_errand errand{.order = order, .thread_id = thread_id_address(), .made = made};
  if (!send_messenger(make_holder, &errand, made.messenger))
    return errand.failed;
  errno = errand.error;
  return errand.failed;
}

const char* enter_shell(int holder, std::span<const int> cgroups, void (*arrive)(void*), void* argument,
                        made_by_messenger& made) noexcept {
  entry_errand errand{.holder = holder,
                      .cgroups = cgroups,
                      .arrive = arrive,
                      .argument = argument,
                      .thread_id = thread_id_address(),
                      .child = made.process};
  if (!send_messenger(lead_in, &errand, made.messenger))
    return errand.failed;
  errno = errand.error;
  return errand.failed;
}

} // namespace troupe::handlers
