#include "tools/handler_finder.hpp"

#include "config/errc.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace troupe::tools {

namespace {

struct convention {
  std::string_view file;
  std::string_view handler;
};

// OpenLambda's, AWS's, and two that people use. The first that exists is taken.
constexpr std::array<convention, 4> conventions{{{"f.py", "f.f"},
                                                 {"lambda_function.py", "lambda_function.lambda_handler"},
                                                 {"handler.py", "handler.handler"},
                                                 {"app.py", "app.handler"}}};

constexpr std::array<std::string_view, 3> callables{"f", "lambda_handler", "handler"};

bool contains(std::span<const std::string> paths, std::string_view path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

/// Whether a line begins with `def name(`, with any blanks that Python allows there.
bool defines(std::string_view line, std::string_view name) {
  const auto skip_blanks = [&line] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  if (!line.starts_with("def ") && !line.starts_with("def\t"))
    return false;
  line.remove_prefix(3);
  skip_blanks();
  if (!line.starts_with(name))
    return false;
  line.remove_prefix(name.size());
  skip_blanks();
  return line.starts_with('(');
}

bool source_defines(std::string_view source, std::string_view name) {
  while (!source.empty()) {
    const size_t end = std::min(source.find_first_of("\r\n"), source.size());
    if (defines(source.substr(0, end), name))
      return true;
    source.remove_prefix(std::min(end + 1, source.size()));
  }
  return false;
}

} // namespace

caf::expected<std::string> find_handler(std::span<const std::string> paths) {
  for (const auto& one : conventions)
    if (contains(paths, one.file))
      return std::string{one.handler};
  return make_error(errc::invalid_argument, "no handler found: there is no f.py, lambda_function.py, handler.py or "
                                            "app.py at the top; name it with --handler module.callable");
}

caf::expected<std::string> find_handler_in(std::string_view stem, std::string_view source) {
  for (const auto name : callables)
    if (source_defines(source, name))
      return fmt::format("{}.{}", stem, name);
  return make_error(errc::invalid_argument, fmt::format("no handler found: {}.py defines no f, lambda_handler or "
                                                        "handler; name it with --handler module.callable",
                                                        stem));
}

bool has_module(std::string_view handler, std::span<const std::string> paths) {
  std::string module{handler.substr(0, handler.rfind('.'))};
  std::replace(module.begin(), module.end(), '.', '/');
  return contains(paths, module + ".py") || contains(paths, module + "/__init__.py");
}

} // namespace troupe::tools
