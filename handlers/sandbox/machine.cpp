#include "handlers/sandbox/machine.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <cerrno>
#include <string>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

caf::error missing(std::string what) {
  return make_error(errc::not_supported, std::move(what));
}

caf::error check_privileges() {
  if (::geteuid() != 0)
    return missing("sandboxes without root: start the node as root");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) != 0)
    return missing("the system call capget");
  struct needed {
    int capability;
    const char* name;
  };
  for (const auto& [capability, name] :
       {needed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN (namespaces, mounts)"}, needed{CAP_MKNOD, "CAP_MKNOD (device nodes)"},
        needed{CAP_SETUID, "CAP_SETUID (user id maps)"}, needed{CAP_SETGID, "CAP_SETGID (group id maps)"},
        needed{CAP_KILL, "CAP_KILL (ending sandboxes)"}, needed{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE (cgroups)"}})
    if ((sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) == 0)
      return missing(std::string{"sandboxes without the capability "} + name);
  return {};
}

caf::error check_namespaces() {
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"})
    if (::access((std::string{"/proc/self/ns/"} + name).c_str(), F_OK) != 0)
      return missing(std::string{"namespaces of kind "} + name + " (the kernel was built without them)");
  for (const char* setting : {"user.max_user_namespaces", "kernel.unprivileged_userns_clone"}) {
    std::string path = std::string{"/proc/sys/"} + setting;
    path[path.find('.')] = '/';
    if (const auto value = read_small_file(path); value && value->starts_with("0"))
      return missing(std::string{"user namespaces (sysctl "} + setting + " is 0)");
  }
  return {};
}

caf::error check_system_calls() {
  struct needed {
    long number;
    const char* name;
  };
  // With arguments that no kernel accepts: ENOSYS tells one that does not know the call.
  for (const auto& [number, name] :
       {needed{SYS_clone3, "clone3 (Linux 5.3)"}, needed{SYS_pidfd_open, "pidfd_open (Linux 5.3)"},
        needed{SYS_open_tree, "open_tree (Linux 5.2)"}, needed{SYS_move_mount, "move_mount (Linux 5.2)"},
        needed{SYS_fsopen, "fsopen (Linux 5.2)"}, needed{SYS_mount_setattr, "mount_setattr (Linux 5.12)"}})
    if (::syscall(number, -1L, -1L, -1L, -1L, -1L) < 0 && errno == ENOSYS)
      return missing(std::string{"the system call "} + name);
  // close_range(first > last) is refused without closing anything.
  if (::syscall(SYS_close_range, 1, 0, 0) < 0 && errno == ENOSYS)
    return missing("the system call close_range (Linux 5.9)");
  return {};
}

} // namespace

caf::error check_machine() {
  if (auto err = check_privileges())
    return err;
  if (auto err = check_namespaces())
    return err;
  return check_system_calls();
}

} // namespace troupe::handlers
