#include "handlers/sandbox/cage_steps.hpp"

#include "config/limits.hpp"
#include "handlers/sandbox/namespaces.hpp"
#include "handlers/sandbox/syscall_filter.hpp"
#include "handlers/sandbox/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

bool write_byte(int fd, char byte) noexcept {
  return ::write(fd, &byte, 1) == 1;
}

bool attach(int mount, const char* directory) noexcept {
  return ::move_mount(mount, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

bool limit(__rlimit_resource_t resource, rlim_t value) noexcept {
  rlimit present{};
  if (::getrlimit(resource, &present) != 0)
    return false;
  const rlim_t bounded = std::min(value, present.rlim_max); // raising would take a privilege
  const rlimit next{bounded, bounded};
  return ::setrlimit(resource, &next) == 0;
}

// The steps. Each returns false with errno set when it fails.

bool join_cgroups(cage_plan& plan) noexcept {
  return std::ranges::all_of(plan.cgroups, [](int tasks) { return write_byte(tasks, '0'); }); // 0: whoever writes
}

bool hide_cgroups(cage_plan&) noexcept {
  return ::unshare(CLONE_NEWCGROUP) == 0;
}

bool attach_tmp(cage_plan& plan) noexcept {
  return attach(plan.tmp, "/tmp");
}

bool mount_proc(cage_plan&) noexcept {
  return ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

/// Of what a user namespace counts. A kernel that does not count it does not have it.
bool allow(const char* number, const char* setting) noexcept {
  const int file = ::open(setting, O_WRONLY | O_CLOEXEC); // closed with the rest, when descriptors are
  const auto size = static_cast<ssize_t>(std::strlen(number));
  return file < 0 ? errno == ENOENT : ::write(file, number, static_cast<size_t>(size)) == size;
}

bool allow_none(const char* setting) noexcept {
  return allow("0", setting);
}

/// Inside a template's there are those of its sandboxes.
bool forbid_user_namespaces(cage_plan& plan) noexcept {
  char number[16];
  std::snprintf(number, sizeof number, "%zu", plan.templates ? limits::sandbox_cells_max : 0);
  return allow(number, "/proc/sys/user/max_user_namespaces");
}

bool forbid_watches(cage_plan&) noexcept {
  return allow_none("/proc/sys/user/max_inotify_instances") && allow_none("/proc/sys/user/max_fanotify_groups");
}

bool take_name(cage_plan&) noexcept {
  return ::sethostname("sandbox", 7) == 0 && ::setdomainname("", 0) == 0;
}

bool leave_process_group(cage_plan&) noexcept {
  return ::setpgid(0, 0) == 0;
}

bool keep_six_descriptors(cage_plan& plan) noexcept {
  constexpr int out_of_the_way = 64;
  const int events = ::fcntl(plan.events, F_DUPFD, out_of_the_way);
  const int answers = ::fcntl(plan.answers, F_DUPFD, out_of_the_way);
  const int log = ::fcntl(plan.log, F_DUPFD, out_of_the_way);
  const int set_up = ::fcntl(plan.set_up, F_DUPFD, out_of_the_way);
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(log, 1) < 0 || ::dup2(log, 2) < 0
      || ::dup3(events, cage_events, O_CLOEXEC) < 0 || ::dup3(answers, cage_answers, O_CLOEXEC) < 0
      || ::dup3(set_up, cage_set_up, O_CLOEXEC) < 0)
    return false;
  plan.set_up = cage_set_up;
  return ::close_range(cage_set_up + 1, ~0U, 0) == 0;
}

bool raise_lo(cage_plan&) noexcept {
  return raise_loopback();
}

bool keep_set_up_socket(cage_plan& plan) noexcept {
  if (::dup2(plan.set_up, 0) < 0)
    return false;
  plan.set_up = 0;
  return ::close_range(1, ~0U, 0) == 0;
}

bool attach_bundle(cage_plan& plan) noexcept {
  return attach(plan.bundle, bundle_path) && ::close(plan.bundle) == 0;
}

bool make_tmp(cage_plan& plan) noexcept {
  char options[96];
  std::snprintf(options, sizeof options, "mode=1777,size=%um,nr_inodes=%ju", plan.tmp_mb,
                static_cast<uintmax_t>(limits::tmp_inodes_max));
  return ::mount("troupe", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

/// The /tmp that was made ahead belongs to the zygote, as the kernel sees it: a larger one covers it.
bool enlarge_tmp(cage_plan& plan) noexcept {
  return plan.tmp_mb == limits::ephemeral_storage_mb_default || make_tmp(plan);
}

bool limit_file_sizes(cage_plan& plan) noexcept {
  return limit(RLIMIT_FSIZE, plan.tmp_mb * limits::mib);
}

bool enter_bundle(cage_plan&) noexcept {
  return ::chdir(bundle_path) == 0;
}

bool take_keyring(cage_plan&) noexcept {
  return ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0 || errno == ENOSYS; // a kernel without keys
}

bool give_way(cage_plan&) noexcept {
  const sched_param none{};
  return ::sched_setscheduler(0, SCHED_BATCH, &none) == 0;
}

bool limit_resources(cage_plan&) noexcept {
  return limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, limits::open_files_max)
      && limit(RLIMIT_MEMLOCK, 64 * limits::kib) && limit(RLIMIT_MSGQUEUE, 0)
      && limit(RLIMIT_SIGPENDING, limits::pending_signals_max);
}

bool limit_processes(cage_plan&) noexcept {
  return limit(RLIMIT_NPROC, limits::processes_max);
}

bool drop_bounding_set(cage_plan&) noexcept {
  int capability = 0;
  while (::prctl(PR_CAPBSET_DROP, capability) == 0)
    ++capability;
  return errno == EINVAL; // there is no further capability
}

bool lock_securebits(cage_plan&) noexcept {
  constexpr unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP
                               | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE
                               | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  return ::prctl(PR_SET_SECUREBITS, bits) == 0;
}

bool become_user(cage_plan&) noexcept {
  // Without groups already, if at all: the zygote has dropped them.
  return ::setresgid(cage_user, cage_user, cage_user) == 0 && ::setresuid(cage_user, cage_user, cage_user) == 0;
}

bool drop_capabilities(cage_plan&) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

bool own_proc_files(cage_plan&) noexcept {
  return ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

bool forbid_new_privileges(cage_plan&) noexcept {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool filter_zygote_calls(cage_plan&) noexcept {
  return load_zygote_filter();
}

bool filter_system_calls(cage_plan&) noexcept {
  return load_syscall_filter();
}

bool filter_template_calls(cage_plan&) noexcept {
  return load_template_filter();
}

bool filter_entries(cage_plan&) noexcept {
  return load_entry_filter();
}

/// The zygote, before it makes its first child.
constexpr step zygote[] = {
  // Not all of a sandbox's filter, and the larger part of it: translating it takes time, and children inherit it.
  {"filter system calls", filter_zygote_calls},
};

// What a child does to itself, read from top to bottom. The order matters: what a later step needs, no earlier one
// takes away.

/// What is done ahead of time, when it is not known yet which function the sandbox will be for.
constexpr step blank[] = {
  // No signal to "my process group" reaches the zygote or another sandbox. It stays in the zygote's session: where the
  // scheduler groups by session, all sandboxes together weigh no more than the node.
  // In the zygote's group the node looks for children that it has not been told of.
  {"leave the process group", leave_process_group},
  // Early, so that all memory from here on is charged to the sandbox, and no process escapes its limit.
  {"join the cgroups", join_cgroups},
  // /proc/self/cgroup shows "/" from here on, not where the node keeps it.
  {"make a cgroup namespace", hide_cgroups},

  // The root tree is the zygote's, read-only, copied by the clone. It lacks what differs from sandbox to sandbox.
  {"mount /tmp", attach_tmp},
  {"mount /proc", mount_proc},

  // In a user namespace of its own a handler would hold all capabilities again: the widest door into the kernel.
  {"forbid user namespaces", forbid_user_namespaces},
  // Their number is counted for the node's user, too, and a watch on the shared system files sees who else uses them.
  {"forbid file watches", forbid_watches},
  // Or it would hold the keys of whoever started the node, and leave its own to the next sandbox.
  {"take a keyring of its own", take_keyring},
  {"set the host name", take_name},
  // The zygote's control socket is among those closed.
  {"keep six descriptors", keep_six_descriptors},
  {"set resource limits", limit_resources},
  // Counted in each user namespace, so it is the sandbox's own. A template has none: its sandboxes count as its own.
  {"limit the processes", limit_processes},
  // A handler that has been given an event does not push aside the node's thread, which has more to give.
  {"give way to the node", give_way},

  // Bounding set and securebits need a capability that the change of user takes away.
  {"drop the bounding set", drop_bounding_set},
  {"lock the securebits", lock_securebits},
};

/// What is left to do when the function is known; no code of its has run yet.
constexpr step last[] = {
  {"mount the bundle", attach_bundle},
  {"enter the bundle", enter_bundle},
  {"enlarge /tmp", enlarge_tmp},
  {"limit file sizes", limit_file_sizes},

  // The capabilities themselves go last, since the change of user needs them.
  {"become the sandbox's user", become_user},
  {"drop all capabilities", drop_capabilities},
  // The change of user made /proc/self root's; a handler may read its own.
  {"own the files in /proc", own_proc_files},
  // Nothing that is executed from here on gains anything.
  {"forbid new privileges", forbid_new_privileges},
  // Last, since it refuses most of the calls above, which the zygote's still allowed; and it asks for the promise of
  // the line before.
  {"filter system calls", filter_system_calls},
};

// Templates. What belongs to namespaces is done by the holder of a shell, and what belongs to a process by whoever
// enters it. Reasons that stand above are not told again.

/// The holder, before it is known what the shell is for.
constexpr step shell[] = {
  {"leave the process group", leave_process_group},
  {"join the cgroups", join_cgroups},
  {"make a cgroup namespace", hide_cgroups},
  // A network namespace that was made ahead belongs to the zygote: a template's child could not enter it.
  {"raise the loopback", raise_lo},
  {"mount /proc", mount_proc},
  {"forbid user namespaces", forbid_user_namespaces},
  {"forbid file watches", forbid_watches},
  {"set the host name", take_name},
  {"keep the set-up socket alone", keep_set_up_socket},
  {"set resource limits", limit_resources},
  {"drop the bounding set", drop_bounding_set},
  {"lock the securebits", lock_securebits},
};

/// The holder, afterwards.
constexpr step holder[] = {
  {"mount the bundle", attach_bundle},
  {"make /tmp", make_tmp},
  {"become the sandbox's user", become_user},
  {"drop all capabilities", drop_capabilities},
  // Whoever enters by way of this process must be allowed to look at it.
  {"own the files in /proc", own_proc_files},
  {"forbid new privileges", forbid_new_privileges},
  {"filter system calls", filter_system_calls},
};

/// A process of the zygote that has entered a shell, before it is known what for.
constexpr step entered[] = {
  {"leave the process group", leave_process_group},
  {"take a keyring of its own", take_keyring},
  {"keep six descriptors", keep_six_descriptors},
  {"set resource limits", limit_resources},
  {"give way to the node", give_way},
  {"drop the bounding set", drop_bounding_set},
  {"lock the securebits", lock_securebits},
};

/// The same process, to become a template.
constexpr step last_template[] = {
  {"enter the bundle", enter_bundle},
  {"limit file sizes", limit_file_sizes},
  {"become the sandbox's user", become_user},
  {"drop all capabilities", drop_capabilities},
  {"own the files in /proc", own_proc_files},
  {"forbid new privileges", forbid_new_privileges},
  // It may enter what is owned by its own user, which are its function's shells, and drop what it gets there. It may
  // make no namespaces and no mounts.
  {"filter a template's system calls", filter_template_calls},
};

/// A process of a template that has entered a shell. It has the shell's rights, and they go before anything else of the
/// function runs. Keyring, limits and filter are the template's.
constexpr step leaving[] = {
  {"leave the process group", leave_process_group},
  {"keep six descriptors", keep_six_descriptors},
  {"limit the processes", limit_processes},
  {"drop the bounding set", drop_bounding_set},
  {"lock the securebits", lock_securebits},
  {"enter the bundle", enter_bundle},
  {"drop all capabilities", drop_capabilities},
  {"own the files in /proc", own_proc_files},
  // What only a template may do, its sandboxes may not.
  {"filter entries", filter_entries},
};

} // namespace

std::span<const step> zygote_steps() noexcept {
  return zygote;
}

std::span<const step> blank_steps() noexcept {
  return blank;
}

std::span<const step> last_steps() noexcept {
  return last;
}

std::span<const step> shell_steps() noexcept {
  return shell;
}

std::span<const step> holder_steps() noexcept {
  return holder;
}

std::span<const step> template_steps() noexcept {
  return entered;
}

std::span<const step> last_template_steps() noexcept {
  return last_template;
}

std::span<const step> leaving_steps() noexcept {
  return leaving;
}

} // namespace troupe::handlers
