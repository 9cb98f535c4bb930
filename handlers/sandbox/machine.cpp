#include "handlers/sandbox/machine.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/cgroups.hpp"
#include "handlers/sandbox/nft.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <cerrno>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

using need = machine_part::need;

machine_part part(std::string name, need needed) {
  machine_part result;
  result.name = std::move(name);
  result.needed = needed;
  result.there = true;
  return result;
}

/// The part, as one that is not there.
machine_part lacks(machine_part what, std::string found, std::string remedy) {
  what.there = false;
  what.found = std::move(found);
  what.remedy = std::move(remedy);
  return what;
}

machine_part privileges() {
  auto result = part("privileges", need::always);
  if (::geteuid() != 0)
    return lacks(result, "an ordinary user", "start the node as root");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) != 0)
    return lacks(result, "no system call capget", "use another kernel");
  struct needed {
    int capability;
    const char* name;
  };
  for (const auto& [capability, name] :
       {needed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN (namespaces, mounts)"}, needed{CAP_MKNOD, "CAP_MKNOD (device nodes)"},
        needed{CAP_SETUID, "CAP_SETUID (user id maps)"}, needed{CAP_SETGID, "CAP_SETGID (group id maps)"},
        needed{CAP_KILL, "CAP_KILL (ending sandboxes)"}, needed{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE (cgroups)"}})
    if ((sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) == 0)
      return lacks(result, std::string{"root without "} + name,
                   "give the node all capabilities (in a container: --privileged)");
  result.found = "root";
  return result;
}

machine_part namespaces() {
  auto result = part("namespaces", need::always);
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"})
    if (::access((std::string{"/proc/self/ns/"} + name).c_str(), F_OK) != 0)
      return lacks(result, std::string{"none of kind "} + name, "use a kernel that was built with them");
  for (const char* setting : {"user.max_user_namespaces", "kernel.unprivileged_userns_clone"}) {
    std::string path = std::string{"/proc/sys/"} + setting;
    path[path.find('.', path.rfind('/'))] = '/';
    if (const auto value = read_small_file(path); value && value->starts_with("0"))
      return lacks(result, std::string{"user namespaces are switched off ("} + setting + " is 0)",
                   std::string{"sysctl -w "} + setting + (path.ends_with("clone") ? "=1" : "=10000"));
  }
  result.found = "all seven kinds";
  return result;
}

machine_part system_calls() {
  auto result = part("system calls", need::always);
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
      return lacks(result, std::string{"no "} + name, "use Linux 5.12 or newer");
  // close_range(first > last) is refused without closing anything.
  if (::syscall(SYS_close_range, 1, 0, 0) < 0 && errno == ENOSYS)
    return lacks(result, "no close_range (Linux 5.9)", "use Linux 5.12 or newer");
  result.found = "all that sandboxes are made with";
  return result;
}

machine_part call_filter() {
  auto result = part("system call filter", need::always);
  if (::access("/proc/sys/kernel/seccomp/actions_avail", F_OK) != 0)
    return lacks(result, "the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER");
  result.found = "seccomp";
  return result;
}

machine_part controller(const char* name, const std::optional<cgroup_controller>& where) {
  auto result = part(std::string{"cgroup "} + name, need::limit);
  if (!where)
    return lacks(result, "neither v1 nor v2 has it",
                 "mount it (systemd does), or boot with cgroup_enable=" + std::string{name});
  result.found = (where->version == cgroup_version::v1 ? "v1 at " : "v2 at ") + where->root;
  return result;
}

machine_part way_out() {
  auto result = part("network egress", need::feature);
  const char* program = find_nft();
  if (program == nullptr)
    return lacks(result, "there is no program nft", "apt-get install nftables");
  result.found = std::string{"nftables ("} + program + ")";
  return result;
}

} // namespace

std::vector<machine_part> examine_machine() {
  const auto groups = find_cgroups(read_small_file("/proc/self/mountinfo").value_or(""));
  return {privileges(),
          namespaces(),
          system_calls(),
          call_filter(),
          controller("memory", groups.memory),
          controller("pids", groups.pids),
          controller("cpu", groups.cpu),
          controller("freezer", groups.freezer),
          way_out()};
}

caf::error check_machine() {
  for (const auto& each : examine_machine())
    if (each.needed == need::always && !each.there)
      return make_error(errc::not_supported, each.name + ": " + each.found + " (" + each.remedy + ")");
  return {};
}

} // namespace troupe::handlers
