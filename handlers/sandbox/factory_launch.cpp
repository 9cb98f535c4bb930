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

namespace troupe::handlers {
namespace {

caf::error failed(const char* step, int error) {
  return make_error(errc::sandbox_failed, std::string{step} + ": " + std::strerror(error));
}

/// What most templates need for a copy: waiting for it is quicker than coming back.
constexpr auto usual_copy_time = std::chrono::milliseconds{2};

caf::expected<launch_progress> progress_of(caf::expected<sandbox_process> launched) {
  if (!launched)
    return std::move(launched.error());
  return launch_progress{std::move(*launched)};
}

} // namespace

launch_request request_of(const sandbox_spec& spec) {
  return {.handler = spec.handler,
          .function_name = spec.function_name,
          .function_version = spec.function_version,
          .memory_mb = spec.memory_mb,
          .ephemeral_storage_mb = spec.ephemeral_storage_mb,
          .environment = spec.environment};
}

/// From the bare zygote. One that will wait for its function is to `rehearse` what it will do then.
caf::expected<zygote_factory::blank> zygote_factory::make_blank(bool rehearse) {
  if (auto err = begin_ahead(rehearse))
    return err;
  return finish_ahead();
}

/// So that the zygote works on the next one while the last one is launched. Nobody waits for it yet.
caf::error zygote_factory::begin_ahead(bool rehearse) {
  if (auto err = ensure_zygote())
    return err;
  auto place = take_cell();
  if (!place)
    return place.error();
  auto begun = begin_blank(std::move(*place), *zygote_, rehearse);
  if (!begun)
    return begun.error();
  ahead_.emplace(std::move(*begun));
  return {};
}

caf::expected<zygote_factory::blank> zygote_factory::finish_ahead() {
  blank begun = std::move(*ahead_);
  ahead_.reset();
  return finish_blank(std::move(begun), *zygote_);
}

/// While the last blank one is given its function.
void zygote_factory::work_ahead() {
  if (!settings_.work_ahead || !blanks_wanted_ || settings_.blank_target == 0 || !blanks_.empty() || ahead_)
    return;
  if (auto err = begin_ahead(false))
    spdlog::warn("making a sandbox ahead failed: {}", what_of(err));
}

/// What was begun and not wanted is a blank one, though it has rehearsed nothing.
void zygote_factory::collect_ahead() {
  if (!ahead_)
    return;
  if (auto made = finish_ahead())
    blanks_.push_back(std::move(*made));
  else
    spdlog::warn("making a sandbox ahead failed: {}", what_of(made.error()));
}

/// Without its process yet.
caf::expected<zygote_factory::blank> zygote_factory::begin_blank(cell place, zygote_process& from, bool rehearse) {
  auto ends = make_ends();
  if (!ends) {
    take_back(std::move(place));
    return ends.error();
  }
  std::vector<int> fds = ends->childs.numbers();
  if (!left_networks_.empty()) {
    place.network = std::move(left_networks_.front());
    left_networks_.pop_front();
    fds.push_back(place.network.get());
  }
  if (place.birthplace)
    fds.push_back(place.birthplace.get());
  for (const unique_fd& join : place.joins)
    fds.push_back(join.get());
  const zygote_request request{.kind = request_kind::launch,
                               .ids = ids_.of_sandbox(place.slot),
                               .has_network = static_cast<bool>(place.network),
                               .has_birthplace = static_cast<bool>(place.birthplace),
                               .rehearse = rehearse};
  if (auto err = from.begin_launch(request, fds)) {
    take_back(std::move(place));
    return err;
  }
  place.joins.clear();
  place.birthplace.reset();
  place.guard = from.shared_keeper();
  return blank{std::move(place), {}, std::move(ends->ours)};
}

caf::expected<zygote_factory::blank> zygote_factory::finish_blank(blank begun, zygote_process& from) {
  auto child = from.finish_launch();
  if (!child) {
    take_back(std::move(begun.place));
    return child.error();
  }
  if (child->network)
    begun.place.network = std::move(child->network);
  begun.place.pid = child->pid;
  begun.process = std::move(child->pidfd);
  return begun;
}

/// The oldest that lives.
std::optional<zygote_factory::blank> zygote_factory::take_first(std::list<blank>& of) {
  while (!of.empty()) {
    blank oldest = std::move(of.front());
    of.pop_front();
    if (oldest.place.guard->running() && is_running(oldest.process.get()))
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
  collect_ahead(); // which there is only when there are no others
  if (auto waiting = take_first(blanks_))
    return reach == network::egress ? connected(std::move(*waiting)) : caf::expected<blank>{std::move(*waiting)};
  auto made = make_blank(false);
  return made && reach == network::egress ? connected(std::move(*made)) : std::move(made);
}

/// One that has what the function imports, from a zygote that has it, or else as above.
caf::expected<zygote_factory::blank> zygote_factory::take_for(const sandbox_spec& spec) {
  zygote_process* from = packages_.choose(spec);
  if (from == nullptr)
    return take_blank(spec.reach);
  auto place = take_cell();
  if (!place)
    return place.error();
  auto begun = begin_blank(std::move(*place), *from, false);
  auto made = begun ? finish_blank(std::move(*begun), *from) : std::move(begun);
  return made && spec.reach == network::egress ? connected(std::move(*made)) : std::move(made);
}

caf::error zygote_factory::ensure_egress() {
  if (egress_)
    return {};
  if (!ids_.is_roots())
    return make_error(errc::not_supported, "network egress needs a node that root has started");
  if (egress_problem_ && std::chrono::steady_clock::now() < egress_retry_)
    return egress_problem_;
  auto made = egress_network::make(egress_settings_of(settings_));
  if (!made) {
    egress_problem_ = made.error();
    egress_retry_ = std::chrono::steady_clock::now() + limits::egress_retry_min;
    return egress_problem_;
  }
  egress_ = std::move(*made);
  return {};
}

/// Gives a process's network its way out.
caf::error zygote_factory::connect(int pid) {
  if (auto err = ensure_egress())
    return err;
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net"; // not waited for: the id is its own
  const unique_fd inside{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!inside)
    return failed("open a sandbox's network", errno);
  auto plug = egress_->plug(inside.get());
  return plug ? caf::error{} : plug.error();
}

caf::expected<zygote_factory::blank> zygote_factory::connected(blank to) {
  to.place.network.reset(); // it goes with its last process
  auto problem = connect(to.place.pid);
  if (!problem)
    return to;
  discard(std::move(to));
  return problem;
}

void zygote_factory::discard_dead(blank dead) {
  spdlog::warn("a blank sandbox is gone: {}", what_of(wait_for_set_up(dead.ends.set_up)));
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

/// Whether it has ended; if not, it is buried when it has.
bool zygote_factory::discard(blank unused) {
  if (kill_and_reap(unused.process.get(), limits::kill_time_max) || !is_running(unused.process.get())) {
    take_back(std::move(unused.place));
    return true;
  }
  auto process = describe(unused);
  live_.emplace(process.slot, std::move(unused.place));
  bury_later(std::move(process));
  return false;
}

/// Makes it the sandbox of that function. What comes of that it reports on its set-up socket.
caf::error zygote_factory::give(blank& to, const sandbox_spec& spec, int bundle) {
  if (auto err = to.place.group.limit({.memory_mb = spec.memory_mb}))
    return err;
  const int fds[] = {bundle};
  // It fails when the process has ended, and that has left a report.
  wire::send_message(to.ends.set_up.get(), encode(request_of(spec)), fds);
  return {};
}

caf::error zygote_factory::wait_for_set_up(const unique_fd& set_up) {
  return wait_for_set_up(set_up, settings_.reply_time);
}

caf::error zygote_factory::wait_for_set_up(const unique_fd& set_up, std::chrono::milliseconds patience) {
  if (!wait_readable(set_up.get(), patience))
    return make_error(errc::sandbox_failed, "set up the sandbox: it takes too long");
  const auto message = wire::receive_message(set_up.get(), sizeof(step_report));
  const auto report = message ? message_of<step_report>(message->bytes) : std::nullopt;
  if (!report)
    return make_error(errc::sandbox_failed, "set up the sandbox: the process ended");
  if (!report->empty())
    return make_error(errc::sandbox_failed, "set up the sandbox: " + report->text());
  return {};
}

sandbox_process zygote_factory::describe(blank& done) {
  return {.slot = done.place.slot,
          .pid = done.place.pid,
          .pidfd = std::move(done.process),
          .events = std::move(done.ends.events),
          .answers = std::move(done.ends.answers),
          .log = std::move(done.ends.log),
          .memory_peak = done.place.group.open_memory_peak(),
          .memory_now = done.place.group.open_memory_now(),
          .standstill = done.place.group.open_freezer()};
}

sandbox_process zygote_factory::hand_over(blank done, const sandbox_spec& spec) {
  sandbox_process result = describe(done);
  done.place.set_up = std::move(done.ends.set_up);
  done.place.bundle_dir = spec.bundle_dir;
  live_.emplace(result.slot, std::move(done.place));
  return result;
}

caf::expected<sandbox_process> sandbox_factory::launch(const sandbox_spec& spec) {
  auto progress = begin_launch(spec);
  while (progress && std::holds_alternative<unfinished_launch>(*progress))
    progress = go_on(std::get<unfinished_launch>(*progress), std::chrono::milliseconds{100});
  if (!progress)
    return std::move(progress.error());
  return std::get<sandbox_process>(std::move(*progress));
}

caf::expected<launch_progress> zygote_factory::begin_launch(const sandbox_spec& spec) {
  if (spec.copy_of) {
    const auto begun = begin_copy(spec);
    if (begun)
      return go_on(*begun, usual_copy_time);
    spdlog::error("a template of {} could not be copied: {}", spec.function_name, what_of(begun.error()));
  }
  return progress_of(spec.role == sandbox_role::its_template ? launch_template(spec) : launch_from_blank(spec));
}

caf::expected<launch_progress> zygote_factory::go_on(unfinished_launch launch, std::chrono::milliseconds patience) {
  const auto found = copies_.find(launch.number);
  if (found == copies_.end())
    return make_error(errc::sandbox_failed, "there is no such launch");
  auto& copy = found->second;
  if (!copy.given_up) {
    auto& from = templates_.at(*copy.made.place.of_template);
    const auto done = advance(from, copy, patience);
    if (done && !*done)
      return launch_progress{launch};
    from.copying = false;
    if (done) {
      auto finished = std::move(copies_.extract(found).mapped());
      return launch_progress{hand_over(std::move(finished.made), finished.spec)};
    }
    spdlog::error("a template of {} could not be copied: {}", copy.spec.function_name, what_of(done.error()));
    condemn(from);
    give_up(copy);
  }
  const auto spec = std::move(copies_.extract(found).mapped().spec);
  return progress_of(launch_from_blank(spec));
}

caf::expected<sandbox_process> zygote_factory::launch_from_blank(const sandbox_spec& spec) {
  const auto bundle = mount_bundle(spec.bundle_dir);
  if (!bundle)
    return bundle.error();
  for (int attempt = 1;; ++attempt) {
    auto taken = attempt == 1 ? take_for(spec) : take_blank(spec.reach);
    caf::error problem = taken ? give(*taken, spec, bundle->get()) : taken.error();
    if (!problem) {
      work_ahead();
      tell_gauges();
      return hand_over(std::move(*taken), spec);
    }
    spdlog::error("launching a sandbox failed: {}", what_of(problem));
    if (taken)
      discard(std::move(*taken));
    // Once more: a zygote may have been lost on the way.
    if (attempt == 2)
      return problem;
  }
}

} // namespace troupe::handlers
