#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <chrono>
#include <cstdint>

/// What a sandbox's process uses, read from outside, so that a handler cannot lie about it.
namespace troupe {

/// Its CPU time; zero when it is gone.
std::chrono::nanoseconds cpu_time(int pid);

/// How long its first thread has waited for a core since it began; zero when the machine does not say.
std::chrono::nanoseconds core_wait(int pid);

/// What a file of its cgroup says; 0 when there is none.
uint64_t bytes_in(const unique_fd& file);

} // namespace troupe
