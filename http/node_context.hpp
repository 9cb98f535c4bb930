#pragma once

#include "http/gateway.hpp"
#include "http/helper_thread.hpp"
#include "http/request_reader.hpp"
#include "http/response.hpp"
#include "http/router.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe::http {

/// Counts of what the server has done since it started. Written and read on the io thread.
struct traffic {
  uint64_t connections_open = 0;
  uint64_t connections_total = 0;
  uint64_t connections_refused = 0;    ///< over the limit
  std::array<uint64_t, 600> answers{}; ///< by status
};

/// What the endpoints work with: one for a node, on its io thread.
struct node_context {
  gateway& actors;
  std::string node_name = {};
  std::string currency = "USD";     ///< of the costs in /v1/usage
  std::string program_version = {}; ///< for /metrics
  std::string origin = {};          ///< "http://address:port", set by the server when it listens
  std::shared_ptr<traffic> counts = std::make_shared<traffic>(); ///< shared with sessions, which may end later
  helper_thread helper = {};

  bool leaving = false;        ///< it is about to stop: /readyz says no, and connections end with their next answer
  size_t awaiting_end = 0;     ///< requests that are answered only when all others have been
  bool knows_functions = true; ///< those that the cluster keeps
  /// While the node gets to know its cluster: invocations wait for it (http/start_up.hpp).
  std::shared_ptr<io_timer> starting = {};
};

/// One request and its answer, on the way through a route.
struct exchange {
  request& in;
  const route& where;
  const std::string& tenant; ///< whose functions and records it is about
  response& out;
};

} // namespace troupe::http
