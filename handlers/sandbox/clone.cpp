#include "handlers/sandbox/clone.hpp"

#include <cerrno>
#include <cstddef>

#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace troupe::handlers {
namespace {

/// A process that a messenger clones goes on where the messenger was, for as long as it lives: so this has the size of
/// any other stack. What nobody touches costs nothing.
constexpr size_t stack_bytes = 8 * 1024 * 1024;
constexpr size_t guard_bytes = 64 * 1024;

/// Stacks that are in use: a messenger's, and that of one it sends.
constexpr size_t stacks_max = 2;
char* stack_ends[stacks_max] = {};
size_t stacks_used = 0;

/// The end of a stack, made once; null with errno set.
char* stack_end(size_t which) noexcept {
  if (which == stacks_max) {
    errno = EAGAIN;
    return nullptr;
  }
  if (stack_ends[which] == nullptr) {
    void* memory = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED || ::mprotect(memory, guard_bytes, PROT_NONE) != 0)
      return nullptr;
    stack_ends[which] = static_cast<char*>(memory) + stack_bytes;
  }
  return stack_ends[which];
}

} // namespace

int* thread_id_address() noexcept {
  int* result = nullptr;
  return ::prctl(PR_GET_TID_ADDRESS, &result) == 0 ? result : nullptr;
}

pid_t clone_sibling(uint64_t namespaces, int birthplace, unique_fd& pidfd, int* thread_id) noexcept {
  // glibc keeps the thread's id in its thread descriptor, and only its own fork() renews it. Left as it was, locks and
  // signals of the child would go by the parent's id; so the kernel writes the new one where it cleared the old.
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

bool send_messenger(int (*work)(void*), void* argument, unique_fd& messenger) noexcept {
  char* stack = stack_end(stacks_used);
  if (stack == nullptr)
    return false;
  ++stacks_used;
  int fd = -1;
  // Not its own thread id: that lies in the caller's memory.
  const int pid =
    ::clone(work, stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PARENT | CLONE_PIDFD, argument, &fd);
  --stacks_used;
  if (pid < 0)
    return false;
  messenger.reset(fd);
  return true;
}

} // namespace troupe::handlers
