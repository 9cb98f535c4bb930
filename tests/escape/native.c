// Native parts of the hostile handlers, loaded by the bundle's Python. Nothing here harms a machine on which it
// succeeds: system calls get arguments that they refuse, and bombs have an end.

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

struct call {
  const char* name;
  long number;
  long arguments[6];
};

static const char nowhere[] = "/nowhere";
static const long bad_time[2] = {0, -1};

#define BAD_FD (-1)
#define BAD_FLAGS 0x7fffffff
#define P(pointer) ((long)(pointer))

// Calls that no handler needs, with arguments for which a kernel that lets them through has an answer of its own:
// EFAULT, EINVAL, EBADF. What does no harm to others may succeed.
static const struct call calls[] = {
  {"acct", SYS_acct, {P(nowhere)}},
  {"add_key", SYS_add_key, {0}},
  {"bpf", SYS_bpf, {9999, 0, 0}},
  {"chroot", SYS_chroot, {0}},
  {"clock_settime", SYS_clock_settime, {0, 0}},
  {"clone3", SYS_clone3, {0, 0}},
  {"delete_module", SYS_delete_module, {0, 0}},
  {"fanotify_init", SYS_fanotify_init, {BAD_FLAGS, 0}},
  {"finit_module", SYS_finit_module, {BAD_FD, 0, BAD_FLAGS}},
  {"fsconfig", SYS_fsconfig, {BAD_FD, 0, 0, 0, 0}},
  {"fsmount", SYS_fsmount, {BAD_FD, BAD_FLAGS, 0}},
  {"fsopen", SYS_fsopen, {0, 0}},
  {"fspick", SYS_fspick, {BAD_FD, 0, BAD_FLAGS}},
  {"get_mempolicy", SYS_get_mempolicy, {0, 0, 0, 0, BAD_FLAGS}},
  {"init_module", SYS_init_module, {0, 0, 0}},
  {"io_uring_enter", 426, {BAD_FD, 0, 0, 0, 0, 0}},
  {"io_uring_register", 427, {BAD_FD, 0, 0, 0}},
  {"io_uring_setup", SYS_io_uring_setup, {0, 0}},
  {"ioperm", SYS_ioperm, {-1, -1, 1}},
  {"iopl", SYS_iopl, {9}},
  {"kcmp", SYS_kcmp, {-1, -1, 99, 0, 0}},
  {"kexec_file_load", SYS_kexec_file_load, {BAD_FD, BAD_FD, 0, 0, BAD_FLAGS}},
  {"kexec_load", SYS_kexec_load, {0, 9999, 0, BAD_FLAGS}},
  {"keyctl", SYS_keyctl, {9999}},
  {"lookup_dcookie", SYS_lookup_dcookie, {0, 0, 0}},
  {"mbind", SYS_mbind, {0, 0, 99, 0, 0, 0}},
  {"migrate_pages", SYS_migrate_pages, {-1, 0, 0, 0}},
  {"mount", SYS_mount, {0, 0, 0, 0, 0}},
  {"mount_setattr", 442, {BAD_FD, 0, BAD_FLAGS, 0, 0}},
  {"move_mount", SYS_move_mount, {BAD_FD, 0, BAD_FD, 0, BAD_FLAGS}},
  {"move_pages", SYS_move_pages, {-1, 0, 0, 0, 0, BAD_FLAGS}},
  {"name_to_handle_at", SYS_name_to_handle_at, {BAD_FD, 0, 0, 0, BAD_FLAGS}},
  {"open_by_handle_at", SYS_open_by_handle_at, {BAD_FD, 0, 0}},
  {"open_tree", SYS_open_tree, {BAD_FD, 0, BAD_FLAGS}},
  {"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}},
  {"personality", SYS_personality, {0x0040000}}, // ADDR_NO_RANDOMIZE
  {"pidfd_getfd", SYS_pidfd_getfd, {BAD_FD, 0, 0}},
  {"pivot_root", SYS_pivot_root, {0, 0}},
  {"process_vm_readv", SYS_process_vm_readv, {0x3fffff, 0, 0, 0, 0, 0}},
  {"process_vm_writev", SYS_process_vm_writev, {0x3fffff, 0, 0, 0, 0, 0}},
  {"ptrace", SYS_ptrace, {3, 0x3fffff, 0, 0}}, // PEEKUSER of nobody
  {"quotactl", SYS_quotactl, {-1, 0, 0, 0}},
  {"quotactl_fd", 443, {BAD_FD, -1, 0, 0}},
  {"reboot", SYS_reboot, {0, 0, 0, 0}}, // without its magic numbers
  {"request_key", SYS_request_key, {0, 0, 0, 0}},
  {"set_mempolicy", SYS_set_mempolicy, {99, 0, 0}},
  {"setdomainname", SYS_setdomainname, {0, -1}},
  {"sethostname", SYS_sethostname, {0, -1}},
  {"setns", SYS_setns, {BAD_FD, 0}},
  {"settimeofday", SYS_settimeofday, {P(bad_time), 0}},
  {"swapoff", SYS_swapoff, {0}},
  {"swapon", SYS_swapon, {0, 0}},
  {"sysfs", SYS_sysfs, {3}},
  {"syslog", SYS_syslog, {99, 0, 0}},
  {"umount2", SYS_umount2, {0, BAD_FLAGS}},
  {"unshare", SYS_unshare, {CLONE_NEWUSER}},
  {"uselib", SYS_uselib, {P(nowhere)}},
  {"userfaultfd", SYS_userfaultfd, {BAD_FLAGS}},
  {"ustat", SYS_ustat, {0, 0}},
};

/// The call's errno as a process of its own finds it; 0 when it succeeds.
static int answer_of(const struct call* what) {
  const pid_t child = fork();
  if (child == 0) {
    const long* a = what->arguments;
    _exit(syscall(what->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child)
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Tries every call; `text` gets a line "name ERRNO" each, with "killed" where the process did not get past it.
int try_calls(char* text, size_t size) {
  size_t used = 0;
  for (size_t i = 0; i < sizeof calls / sizeof *calls && used < size; ++i) {
    const int error = answer_of(&calls[i]);
    const char* name = error < 0 ? "killed" : error == 0 ? "succeeded" : strerrorname_np(error);
    used += (size_t)snprintf(text + used, size - used, "%s %s\n", calls[i].name, name ? name : "?");
  }
  return used < size ? 0 : -1;
}

/// getpid by the machine's other doors: i386 and x32 have numbers of their own, which a filter for one architecture
/// does not know. Answers the result, or minus the signal that ended the process.
static int in_child(long (*call)(void)) {
  const pid_t child = fork();
  if (child == 0)
    _exit(call() == getpid() ? 1 : 0);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child)
    return 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static long getpid_i386(void) {
  long result = 20;
#ifdef __x86_64__
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
#endif
  return result;
}

static long getpid_x32(void) {
  return syscall(0x40000000 | SYS_getpid);
}

int try_i386(void) {
  return in_child(getpid_i386);
}

int try_x32(void) {
  return in_child(getpid_x32);
}

/// A process in new namespaces by clone(), which answers 0 from there; or -errno.
int clone_into(unsigned long namespaces) {
  const long child = syscall(SYS_clone, namespaces | 17 /* SIGCHLD */, 0, 0, 0, 0);
  if (child == 0)
    _exit(0);
  if (child < 0)
    return -errno;
  waitpid((pid_t)child, NULL, 0);
  return 0;
}

/// Children that stay, up to `count`; answers how many came to be, and ends them.
int fork_bomb(int count) {
  pid_t* children = calloc((size_t)count, sizeof *children);
  int made = 0;
  while (made < count && (children[made] = fork()) > 0)
    ++made;
  if (made < count && children[made] == 0)
    for (;;)
      pause();
  for (int i = 0; i < made; ++i) {
    kill(children[i], 9);
    waitpid(children[i], NULL, 0);
  }
  free(children);
  return made;
}

/// Touches so many MiB; answers how many were had.
int memory_bomb(int mib) {
  for (int i = 0; i < mib; ++i) {
    void* block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
      return i;
    memset(block, i | 1, 1 << 20);
  }
  return mib;
}

/// Writes the same bytes to a descriptor until the other side has had enough of it, or `bytes` are written.
long pour(int fd, const char* bytes, size_t size, long limit) {
  long written = 0;
  while (written < limit) {
    const ssize_t count = write(fd, bytes, size);
    if (count < 0 && errno != EINTR)
      break;
    if (count > 0)
      written += count;
  }
  return written;
}

/// Up to 16 bytes of another process's memory; the number that came, or -errno.
int peek(int pid, unsigned long address, char* out) {
  struct iovec here = {out, 16};
  struct iovec there = {(void*)address, 16};
  const ssize_t count = process_vm_readv(pid, &here, 1, &there, 1, 0);
  return count < 0 ? -errno : (int)count;
}
