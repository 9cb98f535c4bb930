#include "handlers/sandbox/clone.hpp"

#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace troupe::handlers {

pid_t clone_sibling(uint64_t namespaces, int birthplace, unique_fd& pidfd) noexcept {
  // glibc keeps the thread's id in its thread descriptor, and only its own fork() renews it. Left as it was, locks and
  // signals of the child would go by the parent's id; so the kernel writes the new one where it cleared the old.
  int* thread_id = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &thread_id) != 0)
    return -1;
  int fd = -1;
  clone_args args{};
  args.flags = namespaces | CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  args.pidfd = reinterpret_cast<uint64_t>(&fd);
  args.child_tid = reinterpret_cast<uint64_t>(thread_id);
  if (birthplace >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(birthplace);
  }
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid > 0)
    pidfd.reset(fd);
  return static_cast<pid_t>(pid);
}

} // namespace troupe::handlers
