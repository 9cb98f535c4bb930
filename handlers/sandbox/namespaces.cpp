#include "handlers/sandbox/namespaces.hpp"

#include "config/limits.hpp"
#include "handlers/sandbox/check.hpp"
#include "handlers/sandbox/small_file.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <cstring>
#include <string>

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

void ask_for_ids() {
  zygote_reply question;
  question.kind = reply_kind::wants_ids;
  check(wire::send_message(control_fd, bytes_of(question)) ? 0 : -1, "ask for id maps");
  if (!wire::receive_message(control_fd, sizeof(zygote_request)))
    ::_exit(0); // the node is gone
}

void write_map(const std::string& path, const std::string& line) {
  const unique_fd file{static_cast<int>(check(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open an id map"))};
  check(::write(file.get(), line.data(), line.size()), "write an id map");
}

/// Not when the node's user namespace was made by an ordinary user: membership in a group can be what keeps somebody
/// from something, so such a user cannot shed it. Then the zygote keeps the user's groups, and so do the sandboxes.
bool may_drop_groups() {
  return read_small_file("/proc/self/setgroups").value_or("allow").starts_with("allow");
}

void configure(int filesystem, const char* key, const std::string& value) {
  check(::fsconfig(filesystem, FSCONFIG_SET_STRING, key, value.c_str(), 0), "configure /tmp");
}

} // namespace

void enter_zygote_namespaces() {
  check(::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS),
        "make namespaces for the zygote");
  ask_for_ids();
  if (may_drop_groups())
    check(::setgroups(0, nullptr), "drop the groups");
  check(::setresgid(0, 0, 0), "become the namespace's root group");
  check(::setresuid(0, 0, 0), "become the namespace's root");
  // The change of ids made this process undumpable, and its /proc files, the id maps of its children among them,
  // would belong to the machine's root.
  check(::prctl(PR_SET_DUMPABLE, 1), "stay the owner of one's files in /proc");
}

uint64_t sandbox_namespaces() noexcept {
  return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
}

void write_id_maps(pid_t pid, const id_map& ids) {
  const std::string line = ids.line();
  const std::string process = "/proc/" + std::to_string(pid);
  write_map(process + "/uid_map", line);
  write_map(process + "/gid_map", line);
}

bool raise_loopback() noexcept {
  const unique_fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return socket && ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

unique_fd make_network() {
  check(::unshare(CLONE_NEWNET), "make a network namespace");
  check(raise_loopback() ? 0 : -1, "raise lo");
  return unique_fd{
    static_cast<int>(check(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open a network namespace"))};
}

std::string network_reading() {
  const auto text_of = [](const char* name) { return read_small_file(std::string{"/proc/self/net/"} + name); };
  const auto sockets = text_of("sockstat");
  const auto devices = text_of("dev");
  const auto counters = text_of("snmp");
  if (!sockets || !devices || !counters)
    return {};
  // After the first line of that one come sums of the whole machine. Flow labels outlive their sockets for a while.
  std::string result = sockets->substr(0, sockets->find('\n')) + *devices + *counters;
  for (const char* name : {"snmp6", "ip6_flowlabel", "rt6_stats"}) // where there is IPv6
    result += text_of(name).value_or("");
  return result;
}

unique_fd make_tmp() {
  const unique_fd fs{static_cast<int>(check(::fsopen("tmpfs", FSOPEN_CLOEXEC), "open a tmpfs for /tmp"))};
  configure(fs.get(), "size", std::to_string(limits::ephemeral_storage_mb_default * limits::mib));
  configure(fs.get(), "nr_inodes", std::to_string(limits::tmp_inodes_max));
  configure(fs.get(), "mode", "1777");
  check(::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "make a tmpfs for /tmp");
  return unique_fd{static_cast<int>(
    check(::fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), "make a mount for /tmp"))};
}

} // namespace troupe::handlers
