#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/limits.hpp"
#include "config/packages.hpp"
#include "handlers/bundle/imports.hpp"

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

bool is_dotted(std::string_view name) {
  return name.empty() || troupe::config::parse_module_names(name).has_value();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source{reinterpret_cast<const char*>(data), size};
  const auto found = troupe::handlers::find_import_statements(source);
  require(found.size() <= troupe::limits::import_names_max);
  for (const auto& each : found) {
    require(!each.name.empty() || each.dots > 0);
    require(each.name.find(',') == std::string_view::npos && is_dotted(each.name));
  }
  return 0;
}
