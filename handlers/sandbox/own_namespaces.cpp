#include "handlers/sandbox/own_namespaces.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/ids.hpp"
#include "handlers/sandbox/small_file.hpp"
#include "handlers/sandbox/sub_ids.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

caf::error refused(const char* step, int error) {
  return make_error(errc::not_supported,
                    std::string{"an ordinary user's node cannot "} + step + ": " + std::strerror(error));
}

/// The one id that needs no privilege. Who gives up setting groups may map the own group.
caf::error map_one_id(uid_t user, gid_t group) {
  if (const int error = write_small_file("/proc/self/setgroups", "deny"); error != 0 && error != ENOENT)
    return refused("give up setting groups", error);
  if (const int error = write_small_file("/proc/self/uid_map", id_map{0, user, 1}.line()))
    return refused("map the user's id", error);
  if (const int error = write_small_file("/proc/self/gid_map", id_map{0, group, 1}.line()))
    return refused("map the group's id", error);
  return {};
}

/// A mount of its own that cannot be written to, in the place of the file; the bits of its other mounts stay.
caf::error protect(const std::string& file) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount(file.c_str(), file.c_str(), nullptr, MS_BIND, nullptr) != 0
      || ::mount_setattr(AT_FDCWD, file.c_str(), 0, &attributes, sizeof attributes) != 0)
    return refused("make the host program read-only", errno);
  return {};
}

} // namespace

std::string user_namespace_remedy(uid_t user) {
  struct setting {
    const char* path;
    const char* off; ///< how the text begins that forbids it
    const char* command;
  };
  for (const auto& [path, off, command] :
       {setting{"/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"},
        setting{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"},
        setting{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
                "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}})
    if (const auto value = read_small_file(path); value && value->starts_with(off) && (user != 0 || *off == '0'))
      return command; // AppArmor's is for those without privileges only
  return {};
}

caf::error enter_own_namespaces(const std::string& host_program) {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (user == 0)
    return {};
  sub_id_mapper mapper{user, group}; // it works from outside, so it has to be started here
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return refused("make a user namespace", errno);
  if (!mapper.map())
    if (auto err = map_one_id(user, group))
      return err;
  return protect(host_program);
}

} // namespace troupe::handlers
