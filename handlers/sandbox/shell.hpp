#pragma once

#include "handlers/sandbox/ids.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <cstdint>
#include <span>

/// A shell is a sandbox without its process: namespaces and mounts, made ahead, which a process that keeps its own
/// nothing, the holder, keeps open. A process enters it with one setns() and a clone. That is how the children of a
/// template get namespaces of their own, although a template may make none: see README.md.
///
/// All this runs in the zygote or a template. Functions that fail return the step that did, with errno set, else null.
namespace troupe::handlers {

/// What belongs to a shell, and what is entered at once.
uint64_t shell_namespaces() noexcept;

/// A process that was made by way of others, which have ended since. All are children of the node.
struct made_by_messenger {
  unique_fd process; ///< pidfds
  unique_fd messenger;
  unique_fd second_messenger; ///< where one is not enough
};

struct shell_order {
  id_map ids{};
  int inside = -1; ///< a pidfd of the holder of a template's shell: the new one is owned by that template's user
  int set_up = -1; ///< where the holder reports
  std::span<const int> cgroups{};
  int gate = -1;     ///< the holder goes on once it has read a byte here
  int gate_end = -1; ///< the end that it closes, or it would never see that nobody will write
};

/// Makes the namespaces, with a holder in them that waits at the gate; then it builds the shell and waits for a
/// shell_request on its set-up socket, reports, and stands still for good. In the zygote.
const char* make_shell(const shell_order& order, made_by_messenger& holder) noexcept;

/// Clones the caller into a shell; the new process joins the cgroups, and goes on with `arrive`, which must not return.
/// In the zygote, or in a template for a shell inside its own.
const char* enter_shell(int holder, std::span<const int> cgroups, void (*arrive)(void*), void* argument,
                        made_by_messenger& child) noexcept;

} // namespace troupe::handlers
