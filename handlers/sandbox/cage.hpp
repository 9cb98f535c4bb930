#pragma once

#include <span>

namespace troupe::handlers {

/// The descriptors that a child was cloned with and that its cage is made of.
struct cage_plan {
  int events = -1;
  int answers = -1;
  int log = -1;
  int set_up = -1; ///< zygote_protocol.hpp
  int bundle = -1; ///< a detached mount
  int tmp = -1;    ///< a detached mount
  std::span<const int> cgroups;
};

/// The descriptors that a caged process has: 0 is /dev/null, 1 and 2 are the log, and these.
inline constexpr int cage_events = 3;
inline constexpr int cage_answers = 4;

/// The user and group that a handler runs as inside.
inline constexpr unsigned cage_user = 1000;

/// Turns the calling process, freshly cloned into sandbox_namespaces() with its ids mapped, into a sandbox: cage.cpp is
/// the list of steps. Writes a step_report to `set_up` and closes it: an empty one when all are done; that of the step
/// that failed otherwise, and ends the process. Single-threaded; allocates nothing, since each page that is touched is
/// a page copied.
void enter_cage(cage_plan plan) noexcept;

/// Reports a step of the set-up that failed, with errno, and ends the process.
[[noreturn]] void give_up(int set_up, const char* step) noexcept;

} // namespace troupe::handlers
