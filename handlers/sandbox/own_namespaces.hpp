#pragma once

#include <caf/error.hpp>

#include <string>

#include <sys/types.h>

/// What makes a node of an ordinary user: Linux lets everybody be root in a user namespace.
namespace troupe::handlers {

/// Moves the calling process into a user namespace in which it is root, and into a mount namespace that belongs to it.
/// There it has the ids that /etc/subuid and /etc/subgid leave to the user, when there is a program newuidmap and they
/// are enough, and else a single one, the user's. Does nothing for a process of root. `host_program` is read-only from
/// then on: sandboxes run it, and with a single id they are its owner when the user is.
///
/// To be called before there is a second thread. Fails with not_supported; then the process may be in the namespace
/// without an id, and can still examine the machine, but make nothing.
caf::error enter_own_namespaces(const std::string& host_program);

/// The command that changes the setting of the machine by which that user, or a process that root has started, cannot
/// make user namespaces; empty when no such setting is known.
std::string user_namespace_remedy(uid_t user);

} // namespace troupe::handlers
