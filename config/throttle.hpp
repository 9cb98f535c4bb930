#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// The limits that an invocation may run into. An errc::too_many_requests carries the one that it ran into, so that
/// whoever is refused learns what to wait for or what to ask for: see make_throttled in config/errc.hpp.
enum class throttle : uint8_t {
  queue_full,           ///< as many wait as may
  memory,               ///< the function is larger than the node's whole budget
  node_sandboxes,       ///< every sandbox that the node may have is busy, or kept for others
  function_concurrency, ///< of the function as many run as may
  tenant_concurrency,   ///< of the tenant as many run as may
  tenant_memory,        ///< the tenant's sandboxes use all memory that they may
  tenant_rate,          ///< more requests a second than the tenant may make
  waited_too_long,      ///< no sandbox became free in time
  large_requests,       ///< the requests that are arriving hold as much memory as they may
};

inline constexpr size_t throttle_count = static_cast<size_t>(throttle::large_requests) + 1;

/// How a limit shows itself.
struct throttle_face {
  std::string_view name;       ///< the enumerator's, for logs
  std::string_view what;       ///< one line for whoever is refused
  std::string_view aws_reason; ///< the Reason of AWS's TooManyRequestsException that comes nearest
};

/// The table's row for `which`.
throttle_face face_of(throttle which) noexcept;

std::string to_string(throttle which);

} // namespace troupe
