#include "handlers/sandbox/machine.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/cgroups.hpp"
#include "handlers/sandbox/ids.hpp"
#include "handlers/sandbox/nft.hpp"
#include "handlers/sandbox/own_namespaces.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <cerrno>

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

using need = machine_part::need;

/// Of a user, for some tens of sandboxes with threads.
constexpr rlim_t processes_wanted = 1024;

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
       {needed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN (namespaces, mounts)"}, needed{CAP_SETUID, "CAP_SETUID (user id maps)"},
        needed{CAP_SETGID, "CAP_SETGID (group id maps)"}, needed{CAP_KILL, "CAP_KILL (ending sandboxes)"},
        needed{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE (cgroups)"}})
    if ((sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) == 0)
      return lacks(result, std::string{"root without "} + name,
                   "give the node all capabilities (in a container: --privileged)");
  result.found = plan_own_ids().is_roots() ? "root" : "root of a user namespace";
  return result;
}

/// What the kernel counts by user, and groups, are the reason not to have a single one.
machine_part user_ids(const id_plan& ids) {
  auto result = part("user ids", need::feature);
  if (ids.each == 0)
    return lacks(
      result, "one for the node and all sandboxes, which keep the user's groups",
      "apt-get install uidmap; as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER");
  result.found = ids.is_roots() ? "a range for each sandbox" : "one for each sandbox";
  return result;
}

machine_part processes(const id_plan& ids) {
  auto result = part("processes", need::feature);
  rlimit limit{};
  ::getrlimit(RLIMIT_NPROC, &limit);
  const bool unlimited = limit.rlim_cur == RLIM_INFINITY || ids.is_roots();
  result.found =
    unlimited ? "no limit by user" : "at most " + std::to_string(limit.rlim_cur) + " of the user (ulimit -u)";
  if (!unlimited && limit.rlim_cur < processes_wanted)
    return lacks(result, result.found, "as root: raise nproc in /etc/security/limits.conf, or LimitNPROC= of the unit");
  return result;
}

machine_part namespaces() {
  auto result = part("namespaces", need::always);
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"})
    if (::access((std::string{"/proc/self/ns/"} + name).c_str(), F_OK) != 0)
      return lacks(result, std::string{"none of kind "} + name, "use a kernel that was built with them");
  if (const auto remedy = user_namespace_remedy(::geteuid()); !remedy.empty())
    return lacks(result, "user namespaces are switched off", remedy);
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

std::string place_of(const cgroup_controller& where) {
  return (where.version == cgroup_version::v1 ? "v1 at " : "v2 at ") + where.root;
}

/// Of this machine, and as far as the node may use it.
struct layouts {
  cgroup_layout all;
  cgroup_layout own;
};

/// How a user comes by a controller that the machine has.
std::string delegation_of(const char* name, const cgroup_controller& there, const cgroup_layout& own) {
  if (there.version == cgroup_version::v1)
    return "as root: make a group there, chown -R it to the user, and start the node in it";
  if (own.freezer && own.freezer->version == cgroup_version::v2)
    return std::string{"as root: systemctl edit user@.service, [Service] Delegate=cpu memory pids (without "} + name
         + " now)";
  return "systemd-run --user --scope -p Delegate=yes troupe serve";
}

machine_part controller(const char* name, std::optional<cgroup_controller> cgroup_layout::*which,
                        const layouts& groups) {
  auto result = part(std::string{"cgroup "} + name, need::limit);
  const auto& there = groups.all.*which;
  const auto& own = groups.own.*which;
  if (!there)
    return lacks(result, "neither v1 nor v2 has it",
                 "mount it (systemd does), or boot with cgroup_enable=" + std::string{name});
  if (!own)
    return lacks(result, place_of(*there) + ", not delegated", delegation_of(name, *there, groups.own));
  result.found = place_of(*own);
  return result;
}

machine_part way_out(const id_plan& ids) {
  auto result = part("network egress", need::feature);
  if (!ids.is_roots())
    return lacks(result, "root of a user namespace cannot change the machine's network", "start the node as root");
  const char* program = find_nft();
  if (program == nullptr)
    return lacks(result, "there is no program nft", "apt-get install nftables");
  result.found = std::string{"nftables ("} + program + ")";
  return result;
}

} // namespace

std::vector<machine_part> examine_machine() {
  const id_plan ids = plan_own_ids();
  const auto mounts = read_small_file("/proc/self/mountinfo").value_or("");
  const layouts groups{find_cgroups(mounts), find_own_cgroups()};
  return {privileges(),
          user_ids(ids),
          processes(ids),
          namespaces(),
          system_calls(),
          call_filter(),
          controller("memory", &cgroup_layout::memory, groups),
          controller("pids", &cgroup_layout::pids, groups),
          controller("cpu", &cgroup_layout::cpu, groups),
          controller("freezer", &cgroup_layout::freezer, groups),
          way_out(ids)};
}

caf::error check_machine() {
  for (const auto& each : examine_machine())
    if (each.needed == need::always && !each.there)
      return make_error(errc::not_supported, each.name + ": " + each.found + " (" + each.remedy + ")");
  return {};
}

} // namespace troupe::handlers
