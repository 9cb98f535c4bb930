#include "handlers/sandbox/cage.hpp"

#include "handlers/sandbox/cage_steps.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

#include <cerrno>
#include <system_error>

#include <unistd.h>

namespace troupe::handlers {

namespace {

/// A step that fails ends the process.
void take_all(std::span<const step> steps, cage_plan& plan) noexcept {
  if (const char* failed = take(steps, plan))
    report_failure(plan.set_up, failed);
}

} // namespace

void give_up(const char* step) noexcept {
  report_failure(cage_set_up, step);
}

void restrict_zygote() {
  cage_plan plan;
  if (const char* failed = take(zygote_steps(), plan))
    throw std::system_error{errno, std::generic_category(), failed};
}

void build_cage(cage_plan plan) noexcept {
  take_all(blank_steps(), plan);
}

void close_cage(int bundle, unsigned tmp_mb) noexcept {
  cage_plan plan{.set_up = cage_set_up, .bundle = bundle, .tmp_mb = tmp_mb};
  take_all(last_steps(), plan);
  report(plan.set_up, {});
  ::close(plan.set_up);
}

void hold_shell(cage_plan plan) noexcept {
  take_all(shell_steps(), plan);
  const auto wanted = receive_shell_request(plan.set_up, plan.bundle);
  if (!wanted && errno == 0)
    ::_exit(0); // the node has no use for it any more
  if (!wanted)
    report_failure(plan.set_up, "learn what the shell is for");
  plan.tmp_mb = wanted->tmp_mb;
  take_all(holder_steps(), plan);
  report(plan.set_up, {});
  ::close(plan.set_up);
  for (;;)
    ::pause();
}

void enter_template_cage(cage_plan plan) noexcept {
  take_all(template_steps(), plan);
}

void close_template_cage(unsigned tmp_mb) noexcept {
  cage_plan plan{.set_up = cage_set_up, .tmp_mb = tmp_mb};
  take_all(last_template_steps(), plan);
  report(plan.set_up, {});
}

void leave_template(cage_plan plan) noexcept {
  take_all(leaving_steps(), plan);
  report(plan.set_up, {});
  ::close(plan.set_up);
}

} // namespace troupe::handlers
