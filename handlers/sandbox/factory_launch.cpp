// How the factory launches: the parts of one sandbox are brought together and handed to the zygote.
#include "config/errc.hpp"
#include "handlers/sandbox/factory.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>

namespace troupe::handlers {
namespace {

caf::error failed(const char* step, int error) {
  return make_error(errc::sandbox_failed, std::string{step} + ": " + std::strerror(error));
}

/// The descriptors of a launch: the node's ends, and those that go to the child.
struct launch_ends {
  unique_fd events;
  unique_fd answers;
  unique_fd log;
  unique_fd set_up;
  unique_fd child_events;
  unique_fd child_answers;
  unique_fd child_log;
  unique_fd child_set_up;
};

bool make_pipe(unique_fd& reading, unique_fd& writing) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return false;
  reading.reset(ends[0]);
  writing.reset(ends[1]);
  return true;
}

bool make_sockets(unique_fd& ours, unique_fd& childs) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return false;
  ours.reset(ends[0]);
  childs.reset(ends[1]);
  return true;
}

caf::expected<launch_ends> make_ends() {
  launch_ends result;
  if (!make_pipe(result.child_events, result.events) || !make_pipe(result.answers, result.child_answers)
      || !make_pipe(result.log, result.child_log) || !make_sockets(result.set_up, result.child_set_up))
    return failed("make a pipe or socket", errno);
  for (const unique_fd* ours : {&result.events, &result.answers, &result.log, &result.set_up})
    if (::fcntl(ours->get(), F_SETFL, O_NONBLOCK) != 0)
      return failed("set up a pipe or socket", errno);
  // A large event or answer needs fewer turns; a page is taken only when it is written to.
  for (const unique_fd* ours : {&result.events, &result.answers})
    ::fcntl(ours->get(), F_SETPIPE_SZ, static_cast<int>(limits::channel_pipe_bytes)); // it may stay smaller
  return result;
}

/// The bundle as a mount of its own that nobody has attached yet: read-only whatever the directory is.
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

} // namespace

caf::expected<sandbox_process> zygote_factory::launch(const sandbox_spec& spec) {
  for (int attempt = 1;; ++attempt) {
    if (auto err = ensure_zygote())
      return err;
    auto result = try_launch(spec);
    if (result)
      return result;
    spdlog::error("launching a sandbox failed: {}", what_of(result.error()));
    // A zygote that was lost on the way has done nothing for this sandbox; another one may.
    if (attempt == 2 || zygote_->usable())
      return result;
  }
}

caf::expected<sandbox_process> zygote_factory::try_launch(const sandbox_spec& spec) {
  auto place = take_cell();
  if (!place)
    return place.error();
  auto result = launch_in(*place, spec);
  if (result)
    live_.emplace(place->slot, std::move(*place));
  else
    take_back(std::move(*place));
  return result;
}

caf::expected<sandbox_process> zygote_factory::launch_in(cell& place, const sandbox_spec& spec) {
  if (auto err = place.group.limit_memory(uint64_t{spec.memory_mb} * limits::mib))
    return err;
  auto ends = make_ends();
  if (!ends)
    return ends.error();
  const auto bundle = mount_bundle(spec.bundle_dir);
  if (!bundle)
    return bundle.error();
  const std::string request = encode({.handler = spec.handler,
                                      .function_name = spec.function_name,
                                      .function_version = spec.function_version,
                                      .memory_mb = spec.memory_mb,
                                      .environment = spec.environment});
  if (!wire::send_message(ends->set_up.get(), request))
    return failed("tell the child what to serve", errno);
  std::vector<int> fds(launch_fd::first_cgroup);
  fds[launch_fd::events] = ends->child_events.get();
  fds[launch_fd::answers] = ends->child_answers.get();
  fds[launch_fd::log] = ends->child_log.get();
  fds[launch_fd::set_up] = ends->child_set_up.get();
  fds[launch_fd::bundle] = bundle->get();
  for (const unique_fd& join : place.joins)
    fds.push_back(join.get());
  auto child = zygote_->launch(place.slot, fds);
  if (!child)
    return child.error();
  ends->child_set_up.reset(); // so that the child's is the last
  if (auto err = wait_for_set_up(ends->set_up.get())) {
    kill_and_reap(child->pidfd.get(), limits::kill_time_max);
    return err;
  }
  place.joins.clear();
  place.guard = zygote_->shared_keeper();
  place.pid = child->pid;
  return sandbox_process{.slot = place.slot,
                         .pid = child->pid,
                         .pidfd = std::move(child->pidfd),
                         .events = std::move(ends->events),
                         .answers = std::move(ends->answers),
                         .log = std::move(ends->log),
                         .memory_peak = place.group.open_memory_peak()};
}

/// The child is inside its cage when this returns no error.
caf::error zygote_factory::wait_for_set_up(int set_up) {
  if (!wait_readable(set_up, settings_.reply_time))
    return make_error(errc::sandbox_failed, "set up the sandbox: it takes too long");
  const auto message = wire::receive_message(set_up, sizeof(step_report));
  const auto report = message ? message_of<step_report>(message->bytes) : std::nullopt;
  if (!report)
    return make_error(errc::sandbox_failed, "set up the sandbox: the process ended");
  if (!report->empty())
    return make_error(errc::sandbox_failed, "set up the sandbox: " + report->text());
  return {};
}

} // namespace troupe::handlers
