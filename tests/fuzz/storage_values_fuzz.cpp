// Values: whatever the bytes, the answer is a value or storage_damaged, and a value can be stored and read again.
// The first byte chooses the kind of value.
#include "storage/values.hpp"

#include "config/errc.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace troupe;
using namespace troupe::storage;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

const std::string function_key_bytes{"t\0f", 3};
const std::string record_key_bytes{"t\0sixteen bytes...", 18};

template <class Decode>
void round_trip(std::string_view bytes, Decode decode) {
  const auto value = decode(bytes);
  if (!value)
    return require(code_of(value.error()) == errc::storage_damaged);
  std::string again;
  encode(again, *value);
  const auto second = decode(again);
  require(second && *second == *value);
}

void add(std::string_view bytes) {
  const auto half = bytes.size() / 2;
  std::string sum{bytes.substr(0, half)};
  const auto before = sum;
  const auto operand = bytes.substr(half);
  if (!add_encoded_totals(sum, operand))
    return require(sum == before);
  require(decode_totals(sum) && decode_totals(operand));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0)
    return 0;
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] % 4) {
    case 0: round_trip(bytes, [](std::string_view value) { return decode_function(function_key_bytes, value); }); break;
    case 1: round_trip(bytes, [](std::string_view value) { return decode_record(record_key_bytes, value); }); break;
    case 2: round_trip(bytes, [](std::string_view value) { return decode_totals(value); }); break;
    case 3: add(bytes); break;
  }
  return 0;
}
