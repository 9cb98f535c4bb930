#pragma once

#include <string_view>

/// The module `troupe_host`, through which the embedded Python code sees the C++ side: `request_id()`,
/// `log_stream_name(version)`, the limits of error documents, and `modules_at_start`.
namespace troupe::python {

/// Makes the module importable; to be called before the interpreter starts.
void register_host_module();

/// Which invocation runs, until the next call. The text is copied.
void set_request_id(std::string_view id);
std::string_view request_id() noexcept;

} // namespace troupe::python
