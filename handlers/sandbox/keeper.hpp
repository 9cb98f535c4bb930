#pragma once

#include "handlers/wire/unique_fd.hpp"

/// The keeper is the first process of the PID namespace in which all sandboxes of a zygote are made. It holds the
/// reading end of a pipe whose other end only the node has, and ends when that ends: then the kernel kills every
/// process of the namespace and of those inside it. So sandboxes die with their node however that dies, and nothing
/// that a handler does can prevent it (it could undo PR_SET_PDEATHSIG); and they outlive their zygote.
namespace troupe::handlers {

/// Starts the keeper as a sibling of the caller, which has unshared its PID namespace and made no process in it yet;
/// `life` is the pipe. Returns the keeper's pidfd. Throws std::system_error.
unique_fd start_keeper(int life);

} // namespace troupe::handlers
