#pragma once

#include "config/throttle.hpp"

#include <caf/error.hpp>
#include <caf/optional.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Everything that can go wrong between a client and a handler. One enum, so that each layer speaks of the same
/// thing; config/errc.cpp maps each value to its HTTP status, AWS error type and exit code in one table.
enum class errc : uint8_t {
  none = 0,
  invalid_argument,   ///< a value out of bounds, a malformed document or archive
  invalid_payload,    ///< an event that is not JSON
  function_not_found, ///< no such function
  path_not_found,     ///< no such route
  method_not_allowed, ///< a route that exists, with another method
  function_exists,    ///< create of a name that is taken
  conflict,           ///< the function changed since the caller looked (RevisionId)
  payload_too_large,  ///< a body over its limit
  headers_too_large,  ///< header fields over their limit
  request_timeout,    ///< the client was too slow with its request
  too_many_requests,  ///< a limit was reached (config/throttle.hpp): nothing was run
  shutting_down,      ///< the node accepts nothing new
  unavailable,        ///< a part of the node or another node cannot be reached
  node_lost,          ///< the node that ran it is gone: it may have run, or not
  sandbox_failed,     ///< the sandbox could not be made (the machine's fault, not the function's)
  not_supported,      ///< a kernel feature, runtime or option that is not there
  already_running,    ///< another process holds the port or the data directory
  storage_damaged,    ///< the database is damaged, or was written by a newer version
  io_error,           ///< a system call failed
  internal,           ///< a bug
};

/// The three outward faces of an error.
struct error_face {
  int http_status;           ///< 400 to 504
  std::string_view aws_type; ///< the name in X-Amzn-ErrorType, without "Exception"
  int exit_code;             ///< of the `troupe` program, never 0
};

/// The table's row for `code`.
error_face face_of(errc code) noexcept;

/// The enumerator's name, for logs.
std::string_view name_of(errc code) noexcept;

/// Makes the error that travels between actors; `what` is one line for the person who asked, without paths or pids
/// of the node.
caf::error make_error(errc code, std::string what = {});

/// The too_many_requests that says which limit was reached, in that limit's words.
caf::error make_throttled(throttle which);

/// Which limit `error` is about; none when it is about something else or does not say.
caf::optional<throttle> throttle_of(const caf::error& error);

/// The code inside `error`; `internal` for errors of CAF itself except those that mean an actor is gone.
errc code_of(const caf::error& error) noexcept;

/// The line inside `error`, or the code's own words when it carries none.
std::string what_of(const caf::error& error);

} // namespace troupe
