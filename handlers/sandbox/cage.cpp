#include "handlers/sandbox/cage.hpp"

#include "handlers/sandbox/cage_steps.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

#include <cerrno>
#include <span>

#include <unistd.h>

namespace troupe::handlers {
namespace {

/// When not even this can be written, the node sees that the process ended before its set-up was done.
void tell(int set_up, const step_report& report) noexcept {
  if (::write(set_up, &report, sizeof report) != sizeof report)
    ::_exit(127);
}

[[noreturn]] void fail(int set_up, const char* step) noexcept {
  tell(set_up, step_report::of(step, errno));
  ::_exit(126);
}

void take(std::span<const step> steps, cage_plan& plan) noexcept {
  for (const step& each : steps) {
    if (!each.take(plan))
      fail(plan.set_up, each.name);
  }
}

} // namespace

void give_up(const char* step) noexcept {
  fail(cage_set_up, step);
}

void build_cage(cage_plan plan) noexcept {
  take(blank_steps(), plan);
}

void close_cage(int bundle, unsigned tmp_mb) noexcept {
  cage_plan plan{.set_up = cage_set_up, .bundle = bundle, .tmp_mb = tmp_mb};
  take(last_steps(), plan);
  tell(cage_set_up, {});
  ::close(cage_set_up);
}

} // namespace troupe::handlers
