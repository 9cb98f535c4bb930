#include "handlers/sandbox/launch_parts.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>

namespace troupe::handlers {
namespace {

caf::error failed(const char* step, int error) {
  return make_error(errc::sandbox_failed, std::string{step} + ": " + std::strerror(error));
}

bool make_pipe(unique_fd& reading, unique_fd& writing) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return false;
  reading.reset(ends[0]);
  writing.reset(ends[1]);
  return true;
}

} // namespace

caf::expected<socket_ends> make_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failed("make a socket", errno);
  socket_ends result{unique_fd{ends[0]}, unique_fd{ends[1]}};
  if (::fcntl(result.ours.get(), F_SETFL, O_NONBLOCK) != 0)
    return failed("set up a socket", errno);
  return result;
}

caf::expected<launch_ends> make_ends() {
  auto set_up = make_sockets();
  if (!set_up)
    return std::move(set_up.error());
  launch_ends result;
  auto& [ours, childs] = result;
  ours.set_up = std::move(set_up->ours);
  childs.set_up = std::move(set_up->childs);
  if (!make_pipe(childs.events, ours.events) || !make_pipe(ours.answers, childs.answers)
      || !make_pipe(ours.log, childs.log))
    return failed("make a pipe", errno);
  for (const unique_fd* end : {&ours.events, &ours.answers, &ours.log})
    if (::fcntl(end->get(), F_SETFL, O_NONBLOCK) != 0)
      return failed("set up a pipe", errno);
  // A large event or answer needs fewer turns; a page is taken only when it is written to.
  for (const unique_fd* end : {&ours.events, &ours.answers})
    ::fcntl(end->get(), F_SETPIPE_SZ, static_cast<int>(limits::channel_pipe_bytes)); // it may stay smaller
  return result;
}

std::vector<int> fds_to_enter(const unique_fd& holder, const std::vector<unique_fd>& cgroups,
                              const channel_ends& ends) {
  std::vector<int> result = ends.numbers();
  result.push_back(holder.get());
  for (const unique_fd& group : cgroups)
    result.push_back(group.get());
  return result;
}

caf::expected<unique_fd> mount_bundle(const std::string& directory) {
  unique_fd mount{::open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)};
  if (!mount)
    return failed("open the bundle", errno);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return failed("make the bundle read-only", errno);
  return mount;
}

} // namespace troupe::handlers
