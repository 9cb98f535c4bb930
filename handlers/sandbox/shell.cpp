#include "handlers/sandbox/shell.hpp"

#include "handlers/sandbox/cage.hpp"
#include "handlers/sandbox/clone.hpp"
#include "handlers/sandbox/namespaces.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

#include <cerrno>
#include <system_error>

#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// What a messenger is sent for, in memory that it shares with the sender.
struct errand {
  const char* failed = "send a messenger";
  int error = 0;

  int fail(const char* step) noexcept {
    failed = step;
    error = errno;
    return 1;
  }

  /// The step that failed, with errno set; null when none did.
  const char* result() const noexcept {
    errno = error;
    return failed;
  }
};

struct shell_errand : errand {
  shell_errand(const shell_order& what, made_by_messenger& into) noexcept : order{what}, made{into} {}

  const shell_order& order;
  made_by_messenger& made;
  int* thread_id = thread_id_address();
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
  auto& task = *static_cast<shell_errand*>(argument);
  const pid_t pid =
    clone_sibling(shell_namespaces() & ~uint64_t{CLONE_NEWCGROUP}, -1, task.made.process, task.thread_id);
  if (pid == 0)
    hold(task.order);
  return pid < 0 ? task.fail("clone a shell") : 0;
}

/// A PID namespace is made by somebody inside the one around it, and setns() moves children only: so by a messenger of
/// the messenger.
int make_holder(void* argument) {
  auto& task = *static_cast<shell_errand*>(argument);
  const auto& order = task.order;
  task.failed = nullptr;
  if (order.inside >= 0)
    if (const char* step = become_owner(order.inside))
      return task.fail(step);
  // A change of ids makes the memory undumpable, and the files in /proc the machine's root's.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0)
    return task.fail("own the files in /proc");
  if (!send_messenger(clone_holder, argument, task.made.second_messenger))
    return task.fail("send a second messenger");
  if (task.failed != nullptr)
    return 1;
  try {
    write_id_maps(id_of(task.made.process.get()), order.ids);
  } catch (const std::system_error& failure) {
    errno = failure.code().value();
    return task.fail("map the ids of a shell");
  }
  return 0;
}

struct entry_errand : errand {
  int holder = -1;
  std::span<const int> cgroups{};
  void (*arrive)(void*) = nullptr;
  void* argument = nullptr;
  unique_fd* child = nullptr;
  int* thread_id = thread_id_address();
};

int lead_in(void* argument) {
  auto& task = *static_cast<entry_errand*>(argument);
  for (const int tasks : task.cgroups)
    if (::write(tasks, "0", 1) != 1)
      return task.fail("join the cgroups");
  if (::setns(task.holder, static_cast<int>(shell_namespaces())) != 0)
    return task.fail("enter the shell");
  int pidfd = -1;
  // clone, since a template's filter cannot read the arguments of clone3. The thread's id is the fourth argument on
  // some machines and the fifth on others, where the other one is not looked at.
  const long pid = ::syscall(SYS_clone, CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, nullptr,
                             &pidfd, task.thread_id, task.thread_id);
  if (pid == 0) {
    task.arrive(task.argument);
    ::_exit(127);
  }
  if (pid < 0)
    return task.fail("clone into the shell");
  task.child->reset(pidfd);
  task.failed = nullptr;
  return 0;
}

} // namespace

uint64_t shell_namespaces() noexcept {
  return sandbox_namespaces() | CLONE_NEWNET | CLONE_NEWCGROUP;
}

const char* make_shell(const shell_order& order, made_by_messenger& made) noexcept {
  shell_errand task{order, made};
  return send_messenger(make_holder, &task, made.messenger) ? task.result() : task.failed;
}

const char* enter_shell(int holder, std::span<const int> cgroups, void (*arrive)(void*), void* argument,
                        made_by_messenger& made) noexcept {
  entry_errand task;
  task.holder = holder;
  task.cgroups = cgroups;
  task.arrive = arrive;
  task.argument = argument;
  task.child = &made.process;
  return send_messenger(lead_in, &task, made.messenger) ? task.result() : task.failed;
}

} // namespace troupe::handlers
