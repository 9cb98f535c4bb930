#pragma once

#include <caf/expected.hpp>

#include <span>
#include <string>
#include <string_view>

namespace troupe::tools {

/// The handler of a bundle that does not name one, from the paths of its files: that of the first of f.py (f.f),
/// lambda_function.py (lambda_function.lambda_handler), handler.py (handler.handler) and app.py (app.handler) that
/// exists at the top. Fails with invalid_argument.
caf::expected<std::string> find_handler(std::span<const std::string> paths);

/// The handler of a single Python file: the module is `stem`, the callable the first of f, lambda_handler and handler
/// that `source` defines at its top level. Fails with invalid_argument.
caf::expected<std::string> find_handler_in(std::string_view stem, std::string_view source);

/// Whether the module of `handler` (module.callable) is one of the files.
bool has_module(std::string_view handler, std::span<const std::string> paths);

} // namespace troupe::tools
