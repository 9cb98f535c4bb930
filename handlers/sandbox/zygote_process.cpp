#include "handlers/sandbox/zygote_process.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/launch_parts.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/sandbox/small_file.hpp"
#include "handlers/sandbox/spawn.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace troupe::handlers {
namespace {

caf::error failed(std::string what) {
  return make_error(errc::sandbox_failed, std::move(what));
}

caf::error map_ids(int pid, const std::string& map) {
  for (const char* name : {"/uid_map", "/gid_map"})
    if (const int error = write_small_file("/proc/" + std::to_string(pid) + name, map))
      return failed(std::string{"map the zygote's ids: "} + std::strerror(error));
  return {};
}

} // namespace

keeper::~keeper() {
  life_.reset();
  if (!reap(pidfd_.get(), limits::kill_time_max))
    spdlog::error("the keeper of the sandboxes' PID namespace does not end");
}

bool keeper::running() const noexcept {
  return is_running(pidfd_.get());
}

zygote_process::zygote_process(int group, unique_fd pidfd, unique_fd control, std::chrono::milliseconds reply_time)
  : group_{group}, pidfd_{std::move(pidfd)}, control_{"the zygote", std::move(control), reply_time} {}

caf::expected<std::unique_ptr<zygote_process>> zygote_process::start(const zygote_options& options) {
  auto control = make_sockets();
  if (!control)
    return std::move(control.error());
  int life[2];
  if (::pipe2(life, O_CLOEXEC) != 0)
    return failed("no pipe for the zygote");
  const unique_fd life_reader{life[0]};
  unique_fd life_writer{life[1]};
  const int fds[] = {control->childs.get(), life_reader.get()};
  std::vector<std::string> command{options.host_program, "zygote", options.mount_point, options.resolv_conf};
  command.insert(command.end(), options.layers.begin(), options.layers.end());
  auto started = spawn(command, fds);
  if (!started)
    return std::move(started.error());
  std::unique_ptr<zygote_process> result{
    new zygote_process{started->pid, std::move(started->pidfd), std::move(control->ours), options.reply_time}};
  if (auto err = result->settle(std::move(life_writer), options.ids))
    return err;
  return result;
}

/// Answers what a zygote asks while it starts.
caf::error zygote_process::settle(unique_fd life, const id_plan& ids) {
  if (auto asked = control_.receive(reply_kind::wants_ids, limits::zygote_start_max); !asked)
    return asked.error();
  if (auto err = map_ids(group_, ids.of_zygote()))
    return err;
  auto kept = control_.ask({request_kind::go_on}, {}, reply_kind::kept);
  if (!kept)
    return kept.error();
  if (kept->fds.size() != 2)
    return control_.lose("it sent no processes");
  keeper_ = std::make_shared<keeper>(std::move(life), std::move(kept->fds[0]));
  reap(pidfd_.get(), control_.reply_time()); // it has nothing more to do
  pidfd_ = std::move(kept->fds[1]);
  if (auto ready = control_.receive(reply_kind::ready, limits::zygote_start_max); !ready)
    return ready.error();
  return {};
}

zygote_process::~zygote_process() {
  if (!kill_and_reap(pidfd_.get(), limits::kill_time_max))
    spdlog::error("a zygote does not end");
  reap_unreported();
}

/// A zygote that dies or hangs in the middle of a launch leaves a child of the node, which waits at its barrier and
/// ends when it sees that the zygote has. Either the answer that names it is still in the socket, or it is still in
/// the zygote's process group.
void zygote_process::reap_unreported() {
  control_.kill_unreported();
  // A child that has been reported may still be in the group, too, on its way out of it; so this wait has an end.
  const auto until = std::chrono::steady_clock::now() + limits::kill_time_max;
  while (std::chrono::steady_clock::now() < until) {
    siginfo_t info{};
    const int result = ::waitid(P_PGID, static_cast<id_t>(group_), &info, WEXITED | WNOHANG);
    if (result != 0 && errno != EINTR)
      return; // nobody is left in the group
    if (info.si_pid == 0)
      ::poll(nullptr, 0, 1);
  }
}

bool zygote_process::usable() const noexcept {
  return !control_.lost() && is_running(pidfd_.get()) && keeper_->running();
}

caf::expected<zygote_process::child> zygote_process::launch(const zygote_request& request, std::span<const int> fds) {
  collect_launched();
  if (auto err = control_.send(request, fds))
    return err;
  return receive_child(request.kind);
}

caf::error zygote_process::begin_launch(const zygote_request& request, std::span<const int> fds) {
  collect_launched();
  if (auto err = control_.send(request, fds))
    return err;
  launching_ = request.kind;
  return {};
}

caf::expected<zygote_process::child> zygote_process::finish_launch() {
  collect_launched();
  if (!launched_)
    return failed("no launch was begun");
  return *std::exchange(launched_, std::nullopt);
}

void zygote_process::collect_launched() {
  if (const auto kind = std::exchange(launching_, std::nullopt))
    launched_ = receive_child(*kind);
}

caf::expected<control_channel::answer> zygote_process::ask(const zygote_request& request, std::span<const int> fds,
                                                           reply_kind expected) {
  collect_launched();
  return control_.ask(request, fds, expected);
}

caf::expected<zygote_process::child> zygote_process::receive_child(request_kind of) {
  auto launched = control_.receive(reply_kind::launched, control_.reply_time());
  if (!launched)
    return std::move(launched.error());
  auto& processes = launched->fds;
  if (processes.empty())
    return control_.lose("it sent no process");
  child result{id_of(processes[0].get()), std::move(processes[0])};
  if (of == request_kind::launch) {
    parts_prepared_ = launched->reply.parts_prepared;
    if (processes.size() > 1)
      result.network = std::move(processes[1]);
    return result;
  }
  for (const unique_fd& messenger : std::span{processes}.subspan(1))
    if (!reap(messenger.get(), control_.reply_time()))
      return control_.lose("its messenger does not end");
  return result;
}

caf::error zygote_process::prepare() {
  auto prepared = ask({request_kind::prepare}, {}, reply_kind::prepared);
  if (!prepared)
    return std::move(prepared.error());
  parts_prepared_ = prepared->reply.parts_prepared;
  return {};
}

caf::expected<std::unique_ptr<zygote_process>> zygote_process::grow(const std::vector<std::string>& packages) {
  auto control = make_sockets();
  if (!control)
    return std::move(control.error());
  if (!wire::send_message(control->ours.get(), encode(packages)))
    return failed("no words for a zygote");
  const int fds[] = {control->childs.get()};
  auto grown = ask({request_kind::grow}, fds, reply_kind::grown);
  if (!grown)
    return std::move(grown.error());
  if (grown->fds.size() != 1)
    return control_.lose("it sent no process");
  unique_fd& pidfd = grown->fds.front();
  const int group = id_of(pidfd.get()); // it makes one of its own
  std::unique_ptr<zygote_process> result{
    new zygote_process{group, std::move(pidfd), std::move(control->ours), control_.reply_time()}};
  result->keeper_ = keeper_;
  return result;
}

std::optional<growth_report> zygote_process::growth() {
  const bool running = is_running(pidfd_.get()); // asked first: what it has said before its end is there then
  const auto message = wire::receive_message(control_.socket(), limits::growth_report_bytes_max);
  if (!message && running && errno == EAGAIN)
    return std::nullopt;
  auto report = message ? decode_growth(message->bytes) : std::nullopt;
  if (!report)
    report = growth_report{.failure = "it ended while it imported", .culprit = {}, .import_us = 0, .loaded = {}};
  return report;
}

} // namespace troupe::handlers
