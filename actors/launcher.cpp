#include "actors/launcher.hpp"

#include "config/errc.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace troupe {

namespace {

using namespace std::chrono_literals;

using self_pointer = launcher_actor::stateful_pointer<launcher_state>;

/// After a launch or an end nothing is prepared for that long: what has just been launched needs the cores now.
constexpr auto quiet_time = 5ms;
/// Nor while what was launched is not ready yet, unless nothing has been prepared for that long.
constexpr auto starting_time_max = 200ms;
/// Until the next look at what a zygote does by itself.
constexpr auto wait_time = 20ms;
/// After what could not be prepared.
constexpr auto retry_time = 1s;
/// Until the next look at copies that take their time.
constexpr auto copy_time = 2ms;

void prepare_later(self_pointer self) {
  auto& st = self->state;
  st.quiet_from = std::chrono::steady_clock::now() + quiet_time;
  if (std::exchange(st.preparing, true))
    return;
  st.prepared = std::chrono::steady_clock::now();
  self->delayed_send(self, quiet_time, atom::prepare::value);
}

void go_on(self_pointer self, handlers::preparation last) {
  switch (last) {
    case handlers::preparation::made: self->send(self, atom::prepare::value); break;
    case handlers::preparation::full: self->state.preparing = false; break;
    case handlers::preparation::waiting: self->delayed_send(self, wait_time, atom::prepare::value); break;
    case handlers::preparation::stuck:
    case handlers::preparation::failed: self->delayed_send(self, retry_time, atom::prepare::value); break;
  }
}

/// One part at a time, so that a launch that comes meanwhile goes first.
void prepare(self_pointer self) {
  auto& st = self->state;
  const auto now = std::chrono::steady_clock::now();
  const bool starting = st.starting.use_count() > 1 && now < st.prepared + starting_time_max;
  const auto from = std::max(st.quiet_from, starting ? now + quiet_time : now);
  if (from > now) {
    self->delayed_send(self, from - now, atom::prepare::value);
    return;
  }
  st.prepared = now;
  go_on(self, st.factory->prepare_one());
}

caf::expected<process_ptr> finished(self_pointer self, caf::expected<handlers::launch_progress> progress) {
  if (!progress)
    return std::move(progress.error());
  auto process = std::make_shared<handlers::sandbox_process>(std::get<handlers::sandbox_process>(std::move(*progress)));
  process->starting = self->state.starting;
  return process;
}

// -- copies ----------------------------------------------------------------------------------------------------------

void tick_in(self_pointer self, std::chrono::milliseconds delay) {
  if (!std::exchange(self->state.ticking, true))
    self->delayed_send(self, delay, atom::tick::value);
}

/// Whether the first of them has become something, so that it is the next one's turn.
bool try_first(self_pointer self, copy_orders& of) {
  auto& factory = *self->state.factory;
  auto& first = of.waiting.front();
  const auto under_way = std::exchange(of.under_way, {});
  auto progress = under_way ? factory.go_on(*under_way, 0ms) : factory.begin_launch(first.spec);
  if (progress && std::holds_alternative<handlers::unfinished_launch>(*progress)) {
    of.under_way = std::get<handlers::unfinished_launch>(*progress);
    return false;
  }
  if (auto process = finished(self, std::move(progress)))
    first.promise.deliver(std::move(*process));
  else
    first.promise.deliver(std::move(process.error()));
  of.waiting.pop_front();
  prepare_later(self);
  return true;
}

/// One step for each template; what was sent to the launcher meanwhile goes before the next.
void tick(self_pointer self) {
  auto& st = self->state;
  st.ticking = false;
  bool at_once = false;
  for (auto& [slot, orders] : st.copies)
    at_once |= try_first(self, orders) && !orders.waiting.empty();
  std::erase_if(st.copies, [](const auto& each) { return each.second.waiting.empty(); });
  if (!st.copies.empty())
    tick_in(self, at_once ? 0ms : copy_time);
}

caf::result<process_ptr> launch_copy(self_pointer self, const handlers::sandbox_spec& spec) {
  const auto slot = *spec.copy_of;
  auto& orders = self->state.copies[slot];
  auto promise = self->make_response_promise<process_ptr>();
  orders.waiting.push_back({spec, promise});
  if (orders.waiting.size() > 1)
    return promise;
  if (try_first(self, orders))
    self->state.copies.erase(slot);
  else
    tick_in(self, copy_time);
  return promise;
}

} // namespace

handlers::sandbox_spec spec_of(const function_version& function, std::string bundle_dir) {
  const auto& config = function.config;
  const bool out = config.network == storage::network_access::egress;
  return {.runtime = config.runtime,
          .handler = config.handler,
          .bundle_dir = std::move(bundle_dir),
          .function_name = config.name,
          .function_version = function.version,
          .memory_mb = config.memory_mb,
          .ephemeral_storage_mb = config.ephemeral_storage_mb,
          .reach = out ? handlers::network::egress : handlers::network::none,
          .environment = config.environment};
}

launcher_actor::behavior_type launcher(self_pointer self, std::shared_ptr<handlers::sandbox_factory> factory) {
  self->state.factory = std::move(factory);
  prepare_later(self);
  return {
    [self](atom::launch, const handlers::sandbox_spec& spec) -> caf::result<process_ptr> {
      if (spec.copy_of)
        return launch_copy(self, spec);
      auto process = finished(self, self->state.factory->begin_launch(spec));
      prepare_later(self);
      return process;
    },
    [self](atom::examine, const process_ptr& process) {
      const auto unfit = self->state.factory->examine(*process);
      prepare_later(self);
      return unfit ? what_of(unfit) : std::string{};
    },
    [self](atom::bury, const process_ptr& process) -> caf::result<handlers::sandbox_death> {
      const auto death = self->state.factory->bury(std::move(*process));
      prepare_later(self);
      return death;
    },
    [self](atom::prepare, bool blanks_wanted) {
      self->state.factory->keep_blanks(blanks_wanted);
      prepare_later(self);
    },
    [self](atom::prepare) { prepare(self); },
    [self](atom::tick) { tick(self); },
  };
}

} // namespace troupe
