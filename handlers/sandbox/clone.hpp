#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <cstdint>

#include <sys/types.h>

namespace troupe::handlers {

/// fork() with new namespaces: returns 0 in the child, its process id and pidfd in the caller, or -1 with errno set.
/// The child's parent is the caller's (CLONE_PARENT), so that the node itself waits for what its zygote makes; the
/// child's end is told as the caller's would be. It is born in the cgroup of the directory `birthplace`, unless that is
/// -1. For single-threaded processes; runs no pthread_atfork handlers.
pid_t clone_sibling(uint64_t namespaces, int birthplace, unique_fd& pidfd) noexcept;

} // namespace troupe::handlers
