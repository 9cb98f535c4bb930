// What a stranger sends to the cluster's port: frames and hellos. What is read as a hello can be written and read
// again, and may be shown to people.
#include "actors/cluster/hello.hpp"

#include "config/limits.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace troupe;
using namespace troupe::cluster;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

bool can_be_shown(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

void check_body(std::string_view body) {
  const auto refusal = decode_refusal(body);
  require(!refusal.empty() && refusal.size() <= limits::refusal_bytes_max && can_be_shown(refusal));
  const auto what = decode_hello(body);
  if (!what)
    return;
  const auto again = encode_frame(*what);
  const auto prefix = decode_prefix(again);
  require(prefix && prefix->body_bytes + frame_prefix_bytes == again.size());
  require(decode_hello(std::string_view{again}.substr(frame_prefix_bytes)) == what);
  hello mine;
  mine.cluster = "c";
  mine.name = "n1";
  require(can_be_shown(judge(mine, *what, std::string{body}).value_or("")));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_body(bytes);
  const auto prefix = decode_prefix(bytes);
  require(!prefix || size >= frame_prefix_bytes);
  if (prefix && size >= frame_prefix_bytes + prefix->body_bytes)
    check_body(bytes.substr(frame_prefix_bytes, prefix->body_bytes));
  return 0;
}
