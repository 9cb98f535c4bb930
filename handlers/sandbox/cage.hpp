#pragma once

#include <span>

namespace troupe::handlers {

/// The descriptors that a child's cage is made of.
struct cage_plan {
  int events = -1;
  int answers = -1;
  int log = -1;
  int set_up = -1;        ///< zygote_protocol.hpp
  int tmp = -1;           ///< a detached mount
  int bundle = -1;        ///< a detached mount; this and the next are not known while the cage is built
  unsigned tmp_mb = 0;    ///< size of /tmp
  bool templates = false; ///< further shells may lie inside this one
  std::span<const int> cgroups{};
};

/// The descriptors that a caged process has: 0 is /dev/null, 1 and 2 are the log, and these.
inline constexpr int cage_events = 3;
inline constexpr int cage_answers = 4;
/// The set-up socket, until the cage is closed.
inline constexpr int cage_set_up = 5;

/// The user and group that a handler runs as inside.
inline constexpr unsigned cage_user = 1000;

/// The lists of cage_steps.cpp, each taken by the process that it is about. A step of a child's that fails is reported
/// (step_report) and ends the process. Single-threaded; allocate nothing, since each page that is touched is a page
/// copied.

/// What the zygote gives up itself before it makes the first sandbox. Throws std::system_error.
void restrict_zygote();

/// Turns the calling process, freshly cloned into sandbox_namespaces() with its ids mapped, into a blank sandbox: all
/// that is the same for every function.
void build_cage(cage_plan plan) noexcept;

/// The rest, for a function with that bundle and that size of /tmp in MiB: afterwards the process holds no privilege.
/// Reports, an empty step_report when all is done, and closes `bundle` and the set-up socket.
void close_cage(int bundle, unsigned tmp_mb) noexcept;

/// Makes the calling process, freshly cloned into shell_namespaces(), the holder of a shell (shell.hpp): builds it,
/// asks on the set-up socket for its bundle, reports, and stays for good without a privilege or a descriptor.
[[noreturn]] void hold_shell(cage_plan plan) noexcept;

/// For a process that the zygote has cloned into a shell, to become a template: what is the same for every function.
void enter_template_cage(cage_plan plan) noexcept;

/// The rest: afterwards it holds no privilege, but its filter lets it send its children into other shells. Reports;
/// the set-up socket stays open, and the node asks for those children on it.
void close_template_cage(unsigned tmp_mb) noexcept;

/// For a process that a template has cloned into a shell: all it takes to become a sandbox. Reports, and closes the
/// set-up socket.
void leave_template(cage_plan plan) noexcept;

/// Reports a step of the set-up that failed, with errno, and ends the process.
[[noreturn]] void give_up(const char* step) noexcept;

} // namespace troupe::handlers
