#pragma once

#include "handlers/sandbox/ids.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <cstdint>
#include <string>

#include <sys/types.h>

/// Namespaces of a zygote and of the sandboxes that it makes. Throws std::system_error.
namespace troupe::handlers {

/// Moves the calling process into user, mount, network, IPC and UTS namespaces of its own, and what it will clone, but
/// not itself, into a PID namespace of its own. Asks the node on the control socket for the id maps, and is root in
/// there afterwards: root over its sandboxes, nobody to the machine.
void enter_zygote_namespaces();

/// Of a sandbox, in addition to a network namespace made ahead. Its cgroup namespace is made by itself, once it is in
/// its cgroup.
uint64_t sandbox_namespaces() noexcept;

/// Gives a child in a fresh user namespace its ids.
void write_id_maps(pid_t pid, const id_map& ids);

/// Raises lo in the calling process's network namespace; false with errno set. Allocates nothing.
bool raise_loopback() noexcept;

/// A network namespace with nothing but lo, which is up, of one user namespace with the zygote. Leaves the calling
/// process in there: setns back.
unique_fd make_network();

/// How many sockets there are in the calling process's network namespace, its flow labels, and all that its devices,
/// protocols and routes have counted. One that reads like a new one is as a new one but for its number: no packet, no
/// refused attempt to send one, no socket on its way to its end. What comes later than the socket's end, reports about
/// groups, the system-call filter prevents. Empty when it cannot be told.
std::string network_reading();

/// A detached tmpfs of limits::ephemeral_storage_mb_default.
unique_fd make_tmp();

} // namespace troupe::handlers
