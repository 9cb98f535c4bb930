#include "actors/launcher.hpp"

#include "config/errc.hpp"

#include <algorithm>

namespace troupe {

namespace {

using self_pointer = launcher_actor::stateful_pointer<launcher_state>;

/// After a launch or an end nothing is prepared for that long: what has just been launched needs the cores now.
constexpr auto quiet_time = std::chrono::milliseconds{5};
/// Nor while what was launched is not ready yet, unless nothing has been prepared for that long.
constexpr auto starting_time_max = std::chrono::milliseconds{200};
/// Until the next look at what a zygote does by itself.
constexpr auto wait_time = std::chrono::milliseconds{20};
/// After what could not be prepared.
constexpr auto retry_time = std::chrono::seconds{1};

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
      auto process = self->state.factory->launch(spec);
      prepare_later(self);
      if (!process)
        return std::move(process.error());
      process->starting = self->state.starting;
      return std::make_shared<handlers::sandbox_process>(std::move(*process));
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
  };
}

} // namespace troupe
