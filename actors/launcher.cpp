#include "actors/launcher.hpp"

namespace troupe {

namespace {

using self_pointer = launcher_actor::stateful_pointer<launcher_state>;

void prepare_soon(self_pointer self) {
  if (!std::exchange(self->state.preparing, true))
    self->send(self, atom::prepare::value);
}

} // namespace

launcher_actor::behavior_type launcher(self_pointer self, std::shared_ptr<handlers::sandbox_factory> factory) {
  self->state.factory = std::move(factory);
  prepare_soon(self);
  return {
    [self](atom::launch, const handlers::sandbox_spec& spec) -> caf::result<process_ptr> {
      auto process = self->state.factory->launch(spec);
      prepare_soon(self);
      if (!process)
        return std::move(process.error());
      return std::make_shared<handlers::sandbox_process>(std::move(*process));
    },
    [self](atom::bury, const process_ptr& process) -> caf::result<handlers::sandbox_death> {
      const auto death = self->state.factory->bury(std::move(*process));
      prepare_soon(self);
      return death;
    },
    [self](atom::prepare) {
      self->state.preparing = false;
      // One part at a time: a launch that came meanwhile goes first.
      if (self->state.factory->prepare_one())
        prepare_soon(self);
    },
  };
}

} // namespace troupe
