#pragma once

#include <caf/error.hpp>

namespace troupe::handlers {

/// Checks what can be known before trying: privileges, namespaces, system calls. An error is not_supported and names
/// the first thing that is missing. Control groups are found by find_cgroups; what can only be tried, the first
/// sandbox tries.
caf::error check_machine();

} // namespace troupe::handlers
