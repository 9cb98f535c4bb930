// Keys: what can be parsed is made of the same bytes again.
#include "storage/keys.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace troupe::storage;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view key{reinterpret_cast<const char*>(data), size};
  std::string again;
  if (const auto parts = parse_function_key(key))
    require(function_key(parts->tenant, parts->name) == key);
  if (const auto parts = parse_invocation_key(key)) {
    make_invocation_key(again, parts->tenant, parts->id);
    require(again == key);
  }
  if (const auto parts = parse_usage_key(key)) {
    make_usage_key(again, parts->tenant, parts->function, parts->hour);
    require(again == key);
  }
  return 0;
}
