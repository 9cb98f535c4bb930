#pragma once

#include <cstdint>

namespace troupe::handlers {

/// How a process shares the cores: not how much of them it gets, which is its cgroup's weight, but how soon and in what
/// pieces.
enum class pace : uint8_t {
  crowded, ///< pushes nobody aside when it wakes up (SCHED_BATCH): what every sandbox is born with
  eager,   ///< short slices: it goes before others when it wakes up, for a moment
  heavy,   ///< long slices: whoever wakes up goes before it
};

/// Sets it for the first thread of a process (0: for the calling thread), and for what that starts from then on. False
/// when the machine refuses.
/// Slices are the kernel's since Linux 6.12; an earlier one takes the policy alone.
bool set_pace(int pid, pace to) noexcept;

} // namespace troupe::handlers
