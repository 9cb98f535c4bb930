#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::handlers {

/// One name that an import statement mentions. `import a.b` mentions a.b; `from a import b, c` mentions a, a.b and a.c,
/// since it cannot be seen whether those are modules.
struct import_name {
  unsigned dots = 0; ///< of a relative import: how many come before the name
  std::string name;  ///< dotted; may be empty after dots

  bool operator==(const import_name&) const = default;
};

/// What the module with this source imports whenever it is loaded: the import statements that are not indented, so not
/// those in functions, conditions or `try`. For any bytes, in one pass; what is not Python gives few names or odd ones.
/// At most limits::import_names_max.
std::vector<import_name> find_import_statements(std::string_view source);

} // namespace troupe::handlers
