#include "handlers/sandbox/cage_steps.hpp"

namespace troupe::handlers {

const char* take(std::span<const step> steps, cage_plan& plan) noexcept {
  for (const step& each : steps)
    if (!each.take(plan))
      return each.name;
  return nullptr;
}

} // namespace troupe::handlers
