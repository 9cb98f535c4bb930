#include "config/throttle.hpp"

namespace troupe {

namespace {

// AWS's reasons: too many at one time in all, too many of this function, too many a second.
constexpr std::string_view too_many_in_all = "ConcurrentInvocationLimitExceeded";
constexpr std::string_view too_many_of_function = "ReservedFunctionConcurrentInvocationLimitExceeded";
constexpr std::string_view too_often = "CallerRateLimitExceeded";

} // namespace

throttle_face face_of(throttle which) noexcept {
  switch (which) {
    case throttle::queue_full: return {"queue_full", "the node's queue is full", too_many_in_all};
    case throttle::memory:
      return {"memory", "the function's memory limit is more than the node may use", too_many_in_all};
    case throttle::node_sandboxes:
      return {"node_sandboxes", "the node has no sandbox left for this function", too_many_in_all};
    case throttle::function_concurrency:
      return {"function_concurrency", "the function runs as often at one time as it may", too_many_of_function};
    case throttle::tenant_concurrency:
      return {"tenant_concurrency", "the tenant runs as many functions at one time as it may", too_many_in_all};
    case throttle::tenant_memory:
      return {"tenant_memory", "the tenant's sandboxes use as much memory as they may", too_many_in_all};
    case throttle::tenant_rate:
      return {"tenant_rate", "the tenant makes more requests a second than it may", too_often};
    case throttle::waited_too_long: return {"waited_too_long", "no sandbox became free in time", too_many_in_all};
    case throttle::large_requests: return {"large_requests", "too many large requests at one time", too_many_in_all};
  }
  return {"unknown", "too many requests, try again later", too_many_in_all};
}

std::string to_string(throttle which) {
  return std::string{face_of(which).name};
}

} // namespace troupe
