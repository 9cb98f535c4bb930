#pragma once

#include <string>
#include <vector>

namespace troupe::python {

/// The zygote: makes its namespaces and its tree at `mount_point` (tree.hpp), starts the interpreter, and then clones a
/// sandbox for each request that comes on handlers::control_fd, until the node is gone. Runs in a single-threaded
/// process that the node started as root with descriptors 0 to handlers::life_fd. Returns the process's exit status;
/// the reason of a failure is told to the node. It can also clone zygotes from itself that import packages, from
/// `layers`, directories of the machine, among others.
int run_zygote(const std::string& mount_point, const std::string& resolv_conf,
               const std::vector<std::string>& layers = {});

} // namespace troupe::python
