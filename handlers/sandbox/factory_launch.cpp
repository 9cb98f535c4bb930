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

caf::expected<zygote_factory::blank> zygote_factory::make_blank() {
  if (auto err = ensure_zygote())
    return err;
  auto place = take_cell();
  if (!place)
    return place.error();
  return make_blank_in(std::move(*place), *zygote_);
}

caf::expected<zygote_factory::blank> zygote_factory::make_blank_in(cell place, zygote_process& from) {
  auto ends = make_ends();
  if (!ends) {
    take_back(std::move(place));
    return ends.error();
  }
  std::vector<int> fds(launch_fd::first_cgroup);
  fds[launch_fd::events] = ends->child_events.get();
  fds[launch_fd::answers] = ends->child_answers.get();
  fds[launch_fd::log] = ends->child_log.get();
  fds[launch_fd::set_up] = ends->child_set_up.get();
  if (place.birthplace)
    fds.push_back(place.birthplace.get());
  for (const unique_fd& join : place.joins)
    fds.push_back(join.get());
  auto child = from.launch(
    {.kind = request_kind::launch, .slot = place.slot, .has_birthplace = static_cast<bool>(place.birthplace)}, fds);
  if (!child) {
    take_back(std::move(place));
    return child.error();
  }
  place.joins.clear();
  place.birthplace.reset();
  place.guard = from.shared_keeper();
  place.pid = child->pid;
  return blank{std::move(place),         std::move(child->pidfd), std::move(ends->events),
               std::move(ends->answers), std::move(ends->log),    std::move(ends->set_up)};
}

/// The oldest that lives.
std::optional<zygote_factory::blank> zygote_factory::take_first(std::list<blank>& of) {
  while (!of.empty()) {
    blank oldest = std::move(of.front());
    of.pop_front();
    if (is_running(oldest.process.get()))
      return oldest;
    discard_dead(std::move(oldest));
  }
  return std::nullopt;
}

/// One that waits, or a new one.
caf::expected<zygote_factory::blank> zygote_factory::take_blank(network reach) {
  if (reach == network::egress) {
    if (auto err = ensure_egress())
      return err;
    if (auto waiting = take_first(connected_))
      return std::move(*waiting);
  }
  if (auto waiting = take_first(blanks_))
    return reach == network::egress ? connect(std::move(*waiting)) : caf::expected<blank>{std::move(*waiting)};
  auto made = make_blank();
  return made && reach == network::egress ? connect(std::move(*made)) : std::move(made);
}

/// One that has what the function imports, from a zygote that has it, or else as above.
caf::expected<zygote_factory::blank> zygote_factory::take_for(const sandbox_spec& spec) {
  zygote_process* from = packages_.choose(spec);
  if (from == nullptr)
    return take_blank(spec.reach);
  if (spec.reach == network::egress)
    if (auto err = ensure_egress())
      return err;
  auto place = take_cell();
  if (!place)
    return place.error();
  auto made = make_blank_in(std::move(*place), *from);
  return made && spec.reach == network::egress ? connect(std::move(*made)) : std::move(made);
}

caf::error zygote_factory::ensure_egress() {
  if (egress_)
    return {};
  auto made = egress_network::make(egress_settings_of(settings_));
  if (!made)
    return made.error();
  egress_ = std::move(*made);
  return {};
}

/// Gives a blank sandbox, which nobody has had yet, its way out.
caf::expected<zygote_factory::blank> zygote_factory::connect(blank to) {
  const std::string path = "/proc/" + std::to_string(to.place.pid) + "/ns/net"; // not waited for: the id is its own
  const unique_fd inside{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  caf::error problem;
  if (!inside)
    problem = failed("open a sandbox's network", errno);
  else if (auto plug = egress_->plug(inside.get()); !plug)
    problem = plug.error();
  if (!problem)
    return to;
  discard(std::move(to));
  return problem;
}

void zygote_factory::discard_dead(blank dead) {
  spdlog::warn("a blank sandbox is gone: {}", what_of(wait_for_set_up(dead)));
  discard(std::move(dead));
}

void zygote_factory::discard_dead_blanks() {
  for (auto* pool : {&blanks_, &connected_}) {
    for (auto at = pool->begin(); at != pool->end();) {
      if (is_running(at->process.get())) {
        ++at;
        continue;
      }
      blank dead = std::move(*at);
      at = pool->erase(at);
      discard_dead(std::move(dead));
    }
  }
}

void zygote_factory::discard(blank unused) {
  if (kill_and_reap(unused.process.get(), limits::kill_time_max) || !is_running(unused.process.get())) {
    take_back(std::move(unused.place));
    return;
  }
  spdlog::error("sandbox {} does not end; its memory stays in use", unused.place.slot);
  const uint32_t slot = unused.place.slot;
  live_.emplace(slot, std::move(unused.place));
}

/// Makes it the sandbox of that function; it is inside its cage when this returns no error.
caf::error zygote_factory::give(blank& to, const sandbox_spec& spec, int bundle) {
  if (auto err = to.place.group.limit({.memory_mb = spec.memory_mb}))
    return err;
  const std::string request = encode({.handler = spec.handler,
                                      .function_name = spec.function_name,
                                      .function_version = spec.function_version,
                                      .memory_mb = spec.memory_mb,
                                      .ephemeral_storage_mb = spec.ephemeral_storage_mb,
                                      .environment = spec.environment});
  const int fds[] = {bundle};
  // It fails when the process has ended, and that has left a report.
  wire::send_message(to.set_up.get(), request, fds);
  return wait_for_set_up(to);
}

caf::error zygote_factory::wait_for_set_up(const blank& child) {
  if (!wait_readable(child.set_up.get(), settings_.reply_time))
    return make_error(errc::sandbox_failed, "set up the sandbox: it takes too long");
  const auto message = wire::receive_message(child.set_up.get(), sizeof(step_report));
  const auto report = message ? message_of<step_report>(message->bytes) : std::nullopt;
  if (!report)
    return make_error(errc::sandbox_failed, "set up the sandbox: the process ended");
  if (!report->empty())
    return make_error(errc::sandbox_failed, "set up the sandbox: " + report->text());
  return {};
}

sandbox_process zygote_factory::hand_over(blank done) {
  sandbox_process result{.slot = done.place.slot,
                         .pid = done.place.pid,
                         .pidfd = std::move(done.process),
                         .events = std::move(done.events),
                         .answers = std::move(done.answers),
                         .log = std::move(done.log),
                         .memory_peak = done.place.group.open_memory_peak(),
                         .memory_now = done.place.group.open_memory_now(),
                         .standstill = done.place.group.open_freezer()};
  live_.emplace(result.slot, std::move(done.place));
  return result;
}

caf::expected<sandbox_process> zygote_factory::launch(const sandbox_spec& spec) {
  const auto bundle = mount_bundle(spec.bundle_dir);
  if (!bundle)
    return bundle.error();
  for (int attempt = 1;; ++attempt) {
    auto taken = attempt == 1 ? take_for(spec) : take_blank(spec.reach);
    caf::error problem = taken ? give(*taken, spec, bundle->get()) : taken.error();
    if (!problem)
      return hand_over(std::move(*taken));
    spdlog::error("launching a sandbox failed: {}", what_of(problem));
    if (taken)
      discard(std::move(*taken));
    // Once more: a zygote may have been lost on the way, or a blank sandbox have died unseen.
    if (attempt == 2)
      return problem;
  }
}

} // namespace troupe::handlers
