#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "handlers/wire/frames.hpp"
#include "handlers/wire/reply_reader.hpp"

namespace wire = troupe::wire;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// What was decoded must encode to something that decodes to the same.
void check_header(std::string_view bytes) {
  std::string again;
  if (const auto invoke = wire::decode_invoke(bytes)) {
    wire::encode_invoke(again, *invoke, 0);
    const auto back = wire::decode_invoke(std::string_view{again}.substr(wire::prefix_bytes));
    require(back && back->request_id == invoke->request_id && back->deadline_ms == invoke->deadline_ms
            && back->client_context == invoke->client_context);
  }
  if (const auto reply = wire::decode_reply(bytes)) {
    wire::encode_reply(again, *reply, 0);
    const auto back = wire::decode_reply(std::string_view{again}.substr(wire::prefix_bytes));
    require(back && back->kind == reply->kind && back->flag == reply->flag);
  }
}

/// What a node makes of a handler's bytes that come in pieces of that size: the replies, and whether they ended well.
std::string read_in_pieces(std::string_view bytes, size_t piece) {
  wire::reply_reader reader;
  std::string told;
  while (!bytes.empty() && !reader.broken()) {
    const auto room = reader.room();
    const size_t count = std::min({bytes.size(), room.size(), piece});
    require(count > 0);
    std::copy_n(bytes.begin(), count, room.begin());
    bytes.remove_prefix(count);
    reader.came(count);
    while (const auto reply = reader.next())
      told += static_cast<char>(reply->header.kind) + std::to_string(reply->payload.size()) + reply->payload;
  }
  return told + (reader.broken() ? "broken" : "");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_header(bytes);
  const auto prefix = wire::read_prefix(bytes);
  require(prefix.has_value() == (size >= wire::prefix_bytes));
  if (prefix && wire::acceptable(*prefix) && prefix->total() <= size)
    check_header(bytes.substr(wire::prefix_bytes, prefix->header_bytes));
  const auto told = read_in_pieces(bytes, size);
  for (const size_t piece : {1, 7, 4096})
    require(read_in_pieces(bytes, piece) == told);
  return 0;
}
