#include "handlers/sandbox/syscall_filter.hpp"

#include "handlers/sandbox/check.hpp"
#include "handlers/sandbox/shell.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <cerrno>
#include <functional>
#include <initializer_list>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// What programs, interpreters and their libraries need of a kernel: memory, threads, files below what they may see,
/// pipes, sockets, time, signals among their own. The container engines' default profiles allow these too; what they
/// allow and is missing here, a handler has no use for: other users' limits, message queues, quotas, tracing, keys,
/// scheduling classes (a handler would push aside the node), NUMA, watching the whole file system.
constexpr const char* allowed_calls[] = {
  // memory
  "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 munlock mlockall munlockall "
  "membarrier memfd_create pkey_alloc pkey_free pkey_mprotect",
  // processes and threads, of the sandbox's own PID namespace
  "fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill getpid getppid gettid "
  "getpgid getpgrp setpgid getsid setsid pidfd_open pidfd_send_signal set_tid_address set_robust_list "
  "get_robust_list rseq arch_prctl set_thread_area get_thread_area futex futex_time64 futex_waitv futex_wake "
  "futex_wait futex_requeue sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_getscheduler "
  "sched_getattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval getpriority setpriority "
  "getcpu restart_syscall",
  // signals
  "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
  "rt_sigqueueinfo rt_tgsigqueueinfo sigaction sigprocmask sigreturn sigaltstack signalfd signalfd4 pause "
  "alarm",
  // identity: to ask, and to become what one is already
  "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid "
  "setresgid setfsuid setfsgid capget umask uname sysinfo getrlimit setrlimit ugetrlimit prlimit64 getrusage "
  "times getrandom",
  // files
  "open openat openat2 creat close close_range read readv pread64 preadv preadv2 write writev pwrite64 pwritev "
  "pwritev2 lseek _llseek dup dup2 dup3 flock fsync fdatasync sync_file_range truncate "
  "truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 readahead copy_file_range sendfile "
  "sendfile64 splice tee vmsplice stat stat64 fstat fstat64 lstat lstat64 newfstatat fstatat64 statx statfs "
  "statfs64 fstatfs fstatfs64 access faccessat faccessat2 getdents getdents64 getcwd chdir fchdir mkdir "
  "mkdirat rmdir rename renameat renameat2 link linkat unlink unlinkat symlink symlinkat readlink readlinkat "
  "chmod fchmod fchmodat fchmodat2 chown fchown fchownat lchown utime utimes utimensat utimensat_time64 "
  "futimesat getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr "
  "removexattr lremovexattr fremovexattr inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
  // waiting and pipes
  "pipe pipe2 poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 "
  "epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2",
  // sockets; which kinds, limit_sockets says
  "bind listen accept accept4 connect getsockname getpeername sendto recvfrom send recv sendmsg "
  "recvmsg sendmmsg recvmmsg recvmmsg_time64 shutdown getsockopt setsockopt",
  // time
  "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 nanosleep clock_nanosleep "
  "clock_nanosleep_time64 getitimer setitimer timer_create timer_delete timer_gettime timer_gettime64 "
  "timer_settime timer_settime64 timer_getoverrun timerfd_create timerfd_gettime timerfd_gettime64 "
  "timerfd_settime timerfd_settime64",
  // shared memory and semaphores of the sandbox's own IPC namespace
  "shmget shmat shmdt shmctl semget semop semtimedop semtimedop_time64 semctl",
};

/// What the zygote does besides, for the sandboxes that it makes, and these before they are given their function.
constexpr const char* making_calls =
  "setns unshare mount move_mount fsopen fsconfig fsmount keyctl sethostname setdomainname capset "
  "sched_setscheduler seccomp";
constexpr unsigned long making_requests[] = {SIOCSIFFLAGS};

class filter_builder {
public:
  /// Whatever no rule is about is refused, or allowed.
  explicit filter_builder(uint32_t otherwise = SCMP_ACT_ERRNO(EPERM))
    : context_{seccomp_init(otherwise), seccomp_release} {
    if (!context_)
      fail(ENOMEM, "begin the system-call filter");
    // A search by halves, and no change of what runs it: no_new_privs is a step of its own.
    must(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
    must(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_NNP, 0));
  }

  void allow(const char* name) { add(SCMP_ACT_ALLOW, name, {}); }
  void allow(const char* name, std::initializer_list<scmp_arg_cmp> when) { add(SCMP_ACT_ALLOW, name, when); }
  void refuse(const char* name, int error, std::initializer_list<scmp_arg_cmp> when = {}) {
    add(SCMP_ACT_ERRNO(static_cast<uint32_t>(error)), name, when);
  }

  std::vector<sock_filter> program() const {
    const unique_fd file{
      static_cast<int>(check(::memfd_create("filter", MFD_CLOEXEC), "make a file for the system-call filter"))};
    must(seccomp_export_bpf(context_.get(), file.get()));
    const long size = check(::lseek(file.get(), 0, SEEK_END), "measure the system-call filter");
    std::vector<sock_filter> result(static_cast<size_t>(size) / sizeof(sock_filter));
    check(::pread(file.get(), result.data(), static_cast<size_t>(size), 0), "read the system-call filter");
    return result;
  }

private:
  [[noreturn]] static void fail(int error, const char* step) {
    throw std::system_error{error, std::generic_category(), step};
  }

  static void must(int result) {
    if (result < 0)
      fail(-result, "build the system-call filter");
  }

  void add(uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> when) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0) // not of this architecture, or newer than the library: there is nothing to allow
      return;
    must(seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(when.size()), when.begin()));
  }

  std::unique_ptr<void, decltype(&seccomp_release)> context_;
};

constexpr uint64_t low_word = 0xffff'ffff; ///< the kernel looks at an int argument's lower half only

scmp_arg_cmp equals(unsigned argument, uint64_t value, uint64_t mask = low_word) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void for_each_word(const char* words, const std::function<void(const char*)>& what) {
  std::istringstream stream{words};
  for (std::string word; stream >> word;)
    what(word.c_str());
}

/// A thread or a process, in the namespaces that are there.
void limit_clone(filter_builder& filter) {
  constexpr uint64_t namespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  filter.allow("clone", {equals(0, 0, namespaces)});
}

/// Its flags lie in memory, which a filter cannot read. "Not there" makes C libraries use clone.
void hide_clone3(filter_builder& filter) {
  filter.refuse("clone3", ENOSYS);
}

/// Local sockets, TCP and UDP. Raw ones forge packets; netlink, packet, vsock and the kernel's many other families are
/// ways into code that nobody needs here, and vsock is not kept in by network namespaces.
void limit_sockets(filter_builder& filter) {
  constexpr uint64_t type_mask = 0xf; // beside it lie SOCK_NONBLOCK and SOCK_CLOEXEC
  // For a pair the kernel loads the family's module before it sees that the family has no pairs.
  for (const char* name : {"socket", "socketpair"})
    filter.allow(name, {equals(0, AF_UNIX)});
  for (const int family : {AF_INET, AF_INET6}) {
    const auto of = [&](uint64_t type, uint64_t protocol) {
      filter.allow("socket",
                   {equals(0, static_cast<uint64_t>(family)), equals(1, type, type_mask), equals(2, protocol)});
    };
    of(SOCK_STREAM, 0);
    of(SOCK_STREAM, IPPROTO_TCP);
    of(SOCK_DGRAM, 0);
    of(SOCK_DGRAM, IPPROTO_UDP);
  }
}

/// What is asked of files, pipes, sockets and terminals in general; no driver's own requests.
void limit_requests(filter_builder& filter) {
  for (const unsigned long request :
       {TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOASYNC, FIOCLEX, FIONCLEX, FIOQSIZE, TIOCOUTQ, SIOCATMARK,
        SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFINDEX})
    filter.allow("ioctl", {equals(1, static_cast<uint64_t>(request))});
}

/// Descriptors, locks, pipes and seals. Not leases nor notes of what others do to a directory: both tell of neighbours.
void limit_fcntl(filter_builder& filter) {
  for (const int command :
       {F_DUPFD,  F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,      F_GETFL,     F_SETFL,    F_GETLK,     F_SETLK,
        F_SETLKW, F_OFD_GETLK,     F_OFD_SETLK,  F_OFD_SETLKW, F_GETOWN,    F_SETOWN,   F_GETOWN_EX, F_SETOWN_EX,
        F_GETSIG, F_SETSIG,        F_GETPIPE_SZ, F_SETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS})
    for (const char* name : {"fcntl", "fcntl64"})
      filter.allow(name, {equals(1, static_cast<uint64_t>(command))});
}

void limit_prctl(filter_builder& filter) {
  for (const int option :
       {PR_SET_NAME,         PR_GET_NAME,         PR_SET_PDEATHSIG,   PR_GET_PDEATHSIG,       PR_SET_DUMPABLE,
        PR_GET_DUMPABLE,     PR_SET_TIMERSLACK,   PR_GET_TIMERSLACK,  PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER,
        PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE,     PR_GET_SECCOMP,
        PR_CAPBSET_READ,     PR_GET_KEEPCAPS,     PR_GET_SECUREBITS,  PR_GET_TID_ADDRESS,     PR_SET_VMA})
    filter.allow("prctl", {equals(0, static_cast<uint64_t>(option))});
}

/// Files, named pipes and sockets: no devices.
void limit_mknod(filter_builder& filter) {
  for (const uint64_t kind : {uint64_t{0}, uint64_t{S_IFREG}, uint64_t{S_IFIFO}, uint64_t{S_IFSOCK}}) {
    filter.allow("mknod", {equals(1, kind, S_IFMT)});
    filter.allow("mknodat", {equals(2, kind, S_IFMT)});
  }
}

/// To ask for the present one, and to set the plain one.
void limit_personality(filter_builder& filter) {
  for (const uint64_t persona : {uint64_t{0}, uint64_t{low_word}})
    filter.allow("personality", {equals(0, persona)});
}

/// For dropping what a process has that makes a sandbox, or a child of a template that has entered a shell.
constexpr int dropping_options[] = {PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_SECCOMP};

void allow_dropping(filter_builder& filter) {
  for (const int option : dropping_options)
    filter.allow("prctl", {equals(0, static_cast<uint64_t>(option))});
}

void refuse_dropping(filter_builder& filter) {
  for (const int option : dropping_options)
    filter.refuse("prctl", EPERM, {equals(0, static_cast<uint64_t>(option))});
}

void allow_entries(filter_builder& filter) {
  filter.allow("setns", {equals(1, shell_namespaces())});
  filter.allow("capset");
  allow_dropping(filter);
}

/// A sandbox that is a child of the node could make others, which the node would have to wait for.
std::vector<sock_filter> build_entry_filter() {
  filter_builder filter{SCMP_ACT_ALLOW};
  filter.refuse("setns", EPERM);
  filter.refuse("capset", EPERM);
  refuse_dropping(filter);
  filter.refuse("clone", EPERM, {equals(0, CLONE_PARENT, CLONE_PARENT)});
  return filter.program();
}

/// Groups: no packet to one gets in or out, and reports about them would come when their socket has long gone.
void refuse_groups(filter_builder& filter) {
  const auto refuse = [&filter](int level, std::initializer_list<int> options) {
    for (const int option : options)
      filter.refuse("setsockopt", EPERM,
                    {equals(1, static_cast<uint64_t>(level)), equals(2, static_cast<uint64_t>(option))});
  };
  refuse(IPPROTO_IP, {IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_MSFILTER, MCAST_JOIN_GROUP,
                      MCAST_JOIN_SOURCE_GROUP, MCAST_MSFILTER});
  refuse(IPPROTO_IPV6, {IPV6_JOIN_GROUP, IPV6_JOIN_ANYCAST, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP, MCAST_MSFILTER});
}

/// A template passes descriptors to the node, which closes what it has no use for: it must not have to wait then.
std::vector<sock_filter> build_linger_filter() {
  filter_builder filter{SCMP_ACT_ALLOW};
  filter.refuse("setsockopt", ENOPROTOOPT, {equals(1, SOL_SOCKET), equals(2, SO_LINGER)});
  refuse_groups(filter);
  return filter.program();
}

void allow_making(filter_builder& filter) {
  filter.allow("clone3");
  for_each_word(making_calls, [&](const char* name) { filter.allow(name); });
  allow_dropping(filter);
  for (const unsigned long request : making_requests)
    filter.allow("ioctl", {equals(1, static_cast<uint64_t>(request))});
}

/// What is left of the zygote's list when that goes is a handler's.
std::vector<sock_filter> build_sandbox_filter() {
  filter_builder filter{SCMP_ACT_ALLOW};
  hide_clone3(filter);
  refuse_groups(filter);
  for_each_word(making_calls, [&](const char* name) { filter.refuse(name, EPERM); });
  refuse_dropping(filter);
  for (const unsigned long request : making_requests)
    filter.refuse("ioctl", EPERM, {equals(1, static_cast<uint64_t>(request))});
  return filter.program();
}

enum class filter_for : uint8_t { zygote, its_template };

std::vector<sock_filter> build(filter_for whom) {
  filter_builder filter;
  if (whom == filter_for::zygote) {
    allow_making(filter);
  } else {
    allow_entries(filter);
    hide_clone3(filter);
  }
  for (const char* group : allowed_calls)
    for_each_word(group, [&](const char* name) { filter.allow(name); });
  limit_clone(filter);
  limit_sockets(filter);
  limit_requests(filter);
  limit_fcntl(filter);
  limit_prctl(filter);
  limit_mknod(filter);
  limit_personality(filter);
  return filter.program();
}

// By the zygote; read by its children.
std::vector<sock_filter> for_zygote;
std::vector<sock_filter> for_sandbox;
std::vector<sock_filter> for_template;
std::vector<sock_filter> for_entered;
std::vector<sock_filter> without_linger;

sock_fprog program_of(const std::vector<sock_filter>& filter) noexcept {
  return {static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())}; // it is only read
}

bool load(const std::vector<sock_filter>& filter) noexcept {
  const sock_fprog program = program_of(filter);
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

} // namespace

void prepare_syscall_filters() {
  for_zygote = build(filter_for::zygote);
  for_sandbox = build_sandbox_filter();
  for_template = build(filter_for::its_template);
  for_entered = build_entry_filter();
  without_linger = build_linger_filter();
}

bool load_zygote_filter() noexcept {
  return load(for_zygote);
}

bool load_syscall_filter() noexcept {
  return load(for_sandbox);
}

bool load_template_filter() noexcept {
  return load(without_linger) && load(for_template);
}

bool load_entry_filter() noexcept {
  const sock_fprog program = program_of(for_entered); // seccomp itself is refused by now
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace troupe::handlers
