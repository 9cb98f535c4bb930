#include "handlers/sandbox/cage_steps.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

namespace troupe::handlers {

void take(std::span<const step> steps, cage_plan& plan) noexcept {
  for (const step& each : steps) {
    if (!each.take(plan))
      report_failure(plan.set_up, each.name);
  }
}

} // namespace troupe::handlers
