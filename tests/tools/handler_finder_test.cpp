#define CAF_SUITE tools.handler_finder

#include "tools/handler_finder.hpp"

#include <caf/test/unit_test.hpp>

#include <vector>

using namespace troupe::tools;

namespace {

/// The handler that was found, or "" for an error.
std::string found(const caf::expected<std::string>& result) {
  return result ? *result : std::string{};
}

} // namespace

CAF_TEST(the first conventional file is taken) {
  const std::pair<std::vector<std::string>, std::string_view> table[] = {
    {{"f.py"}, "f.f"},
    {{"app.py", "handler.py", "lambda_function.py", "f.py"}, "f.f"},
    {{"app.py", "handler.py", "lambda_function.py"}, "lambda_function.lambda_handler"},
    {{"handler.py", "app.py", "data.txt"}, "handler.handler"},
    {{"app.py"}, "app.handler"},
    {{"main.py", "sub/f.py", "f.pyc", "f"}, ""},
    {{}, ""},
  };
  for (const auto& [paths, handler] : table)
    CAF_CHECK_EQUAL(found(find_handler(paths)), handler);
}

CAF_TEST(the callable of a single file is found by its definition) {
  const std::pair<std::string_view, std::string_view> table[] = {
    {"def f(event):\n  return event\n", "greet.f"},
    {"import json\n\ndef lambda_handler(event, context):\n  pass", "greet.lambda_handler"},
    {"def handler(event, context): return 1", "greet.handler"},
    {"def handler(e, c): pass\ndef f(e): pass\n", "greet.f"},
    {"x = 1\r\ndef f (event):\r\n  pass\r\n", "greet.f"},
    {"def\tf  (event): pass", "greet.f"},
    {"  def f(event): pass", ""},
    {"# def f(event):\n", ""},
    {"def ff(event): pass\ndef f2(event): pass\nundef f(event)\n", ""},
    {"deff(event)", ""},
    {"def f", ""},
    {"", ""},
  };
  for (const auto& [source, handler] : table) {
    CAF_MESSAGE(source);
    CAF_CHECK_EQUAL(found(find_handler_in("greet", source)), handler);
  }
}

CAF_TEST(modules are files or packages) {
  const std::vector<std::string> paths{"f.py", "pkg/__init__.py", "pkg/inner.py"};
  CAF_CHECK(has_module("f.f", paths));
  CAF_CHECK(has_module("pkg.main", paths));
  CAF_CHECK(has_module("pkg.inner.main", paths));
  CAF_CHECK(has_module("pkg/inner.main", paths));
  CAF_CHECK(!has_module("g.f", paths));
  CAF_CHECK(!has_module("inner.main", paths));
  CAF_CHECK(!has_module("", paths));
}
