#pragma once

namespace troupe::python {

/// In a process that the zygote has cloned into a shell (sandbox/shell.hpp): closes its cage, loads the handler that
/// the node names on the set-up socket, and then clones itself into a further shell for each request that comes there:
/// a sandbox that has its handler loaded when it begins. Takes the descriptors of the request, a
/// `const std::vector<unique_fd>*`; never returns.
void become_template(void* fds);

} // namespace troupe::python
