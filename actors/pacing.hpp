#pragma once

#include "handlers/sandbox/pace.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace troupe {

/// Chooses the pace of a handler process by what its runs are like. Who comes once in a while should not wait for those
/// who keep the cores busy; who gets one event after another has most of them served when none pushes the other, or the
/// io thread, aside; and who burns CPU can wait for a moment. Pure: no clock, no process.
class pacing {
public:
  /// A run has ended that has used that much CPU.
  void ended(std::chrono::nanoseconds cpu) noexcept;

  /// The next one begins, that long after the latest end, with an event that has waited for that long. The pace to be
  /// set for it; nullopt: it stays as it is.
  std::optional<handlers::pace> begins(std::chrono::nanoseconds pause, std::chrono::nanoseconds waited) noexcept;

private:
  handlers::pace chosen() const noexcept;

  handlers::pace now_ = handlers::pace::crowded;
  uint8_t crowd_ = 0; ///< rises with each event that stood in a queue, and falls with each that did not
  bool heavy_ = false;
};

} // namespace troupe
