#pragma once

#include "config/errc.hpp"
#include "http/router.hpp"

#include <string>
#include <string_view>

/// The one place where answers get their form. What status an error has is decided in config/errc.cpp.
namespace troupe::http {

inline constexpr std::string_view json_type = "application/json";

/// What a route answers. The strings keep their capacity from one answer to the next.
struct response {
  int status = 200;
  std::string_view content_type = json_type; ///< of static storage
  std::string fields;                        ///< further header lines, each with its CR LF: see add_field
  std::string body;

  /// Back to an empty 200.
  void restart();

  /// Appends a header line. `value` must not come from outside unchecked: a control character in it is left out.
  void add_field(std::string_view name, std::string_view value);
};

/// Makes `out` the answer to an error, in the words of `error` (what_of).
void set_error(response& out, dialect speaks, const caf::error& error);

/// What a response's form depends on besides itself.
struct framing {
  bool http_1_1 = true;   ///< the client's version
  bool keep_alive = true; ///< the connection stays open
  bool head = false;      ///< the answer to HEAD: everything but the body
};

/// Appends the status line and header to `out`. `date` is the value of the Date field.
void append_head(std::string& out, const response& answer, framing how, std::string_view date);

} // namespace troupe::http
