#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <chrono>
#include <optional>

#include <signal.h>

/// Child processes by pidfd. Blocking, with bounds.
namespace troupe::handlers {

/// Waits until `fd` is readable or its other end is gone; false when `limit` passes first.
bool wait_readable(int fd, std::chrono::milliseconds limit) noexcept;

/// A pidfd; empty when there is no such process. Safe for a child that has not been waited for: its id is its own.
unique_fd open_process(int pid) noexcept;

/// The id, in the PID namespace whose /proc is seen here, of a process that has not been waited for; 0 when it
/// cannot be told.
int id_of(int pidfd);

/// Waits for the end of a child and takes its status; nullopt when `limit` passes first or it is no child of ours.
std::optional<siginfo_t> reap(int pidfd, std::chrono::milliseconds limit) noexcept;

/// SIGKILL; nothing happens when it has ended.
void send_kill(int pidfd) noexcept;

/// SIGKILL, and then as `reap`. For the first process of a PID namespace that is the end of all in it.
std::optional<siginfo_t> kill_and_reap(int pidfd, std::chrono::milliseconds limit) noexcept;

/// Whether it has not ended.
bool is_running(int pidfd) noexcept;

} // namespace troupe::handlers
