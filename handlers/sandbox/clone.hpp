#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <cstdint>

#include <sys/types.h>

namespace troupe::handlers {

/// Where the kernel writes the calling thread's id when it clones, and where its C library looks for it; null when the
/// kernel does not tell. A messenger has none of its own.
int* thread_id_address() noexcept;

/// fork() with new namespaces: returns 0 in the child, its process id and pidfd in the caller, or -1 with errno set.
/// The child's parent is the caller's (CLONE_PARENT), so that the node itself waits for what its zygote makes; the
/// child's end is told as the caller's would be. It is born in the cgroup of the directory `birthplace`, unless that is
/// -1. For single-threaded processes; runs no pthread_atfork handlers.
pid_t clone_sibling(uint64_t namespaces, int birthplace, unique_fd& pidfd,
                    int* thread_id = thread_id_address()) noexcept;

/// Runs `work` in a process that shares the caller's memory and descriptors, but neither its namespaces, ids and
/// cgroups nor its stack, while the caller waits; its parent is the caller's. That process may change what the caller
/// must keep as it is, and clone from there. False with errno set when there is no such process. Single-threaded
/// callers only. `messenger` is the process, which has ended by then and needs to be waited for. It may send another.
bool send_messenger(int (*work)(void*), void* argument, unique_fd& messenger) noexcept;

} // namespace troupe::handlers
