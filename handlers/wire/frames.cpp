#include "handlers/wire/frames.hpp"

#include <msgpack.hpp>

#include "config/limits.hpp"
#include "handlers/wire/msgpack_reader.hpp"

namespace troupe::wire {

namespace {

/// Where msgpack-c's packer writes: a string that keeps its capacity.
struct string_sink {
  std::string& out;
  void write(const char* data, size_t size) { out.append(data, size); }
};

using packer = msgpack::packer<string_sink>;

void put_u32(char* at, uint32_t value) noexcept {
  for (int shift = 0; shift < 32; shift += 8)
    *at++ = static_cast<char>(value >> shift);
}

uint32_t get_u32(const char* at) noexcept {
  uint32_t value = 0;
  for (int shift = 0; shift < 32; shift += 8)
    value |= uint32_t{static_cast<uint8_t>(*at++)} << shift;
  return value;
}

/// Leaves room for the prefix, lets `pack_header` write, and fills in the prefix. The lengths fit: callers keep
/// payloads below limits::frame_payload_bytes_max.
template <class PackHeader>
void encode(std::string& out, size_t payload_bytes, PackHeader pack_header) {
  out.assign(prefix_bytes, '\0');
  string_sink sink{out};
  packer to{sink};
  pack_header(to);
  put_u32(out.data(), static_cast<uint32_t>(out.size() - prefix_bytes));
  put_u32(out.data() + 4, static_cast<uint32_t>(payload_bytes));
}

bool is(std::optional<int64_t> value, frame_kind kind) noexcept {
  return value && *value == static_cast<int64_t>(kind);
}

} // namespace

std::optional<frame_prefix> read_prefix(std::string_view bytes) noexcept {
  if (bytes.size() < prefix_bytes)
    return std::nullopt;
  return frame_prefix{get_u32(bytes.data()), get_u32(bytes.data() + 4)};
}

bool acceptable(const frame_prefix& prefix) noexcept {
  return prefix.header_bytes > 0 && prefix.header_bytes <= limits::frame_header_bytes_max
      && prefix.payload_bytes <= limits::frame_payload_bytes_max;
}

void encode_invoke(std::string& out, const invoke_header& header, size_t payload_bytes) {
  encode(out, payload_bytes, [&header](packer& to) {
    const auto text = [&to](std::string_view value) {
      to.pack_str(static_cast<uint32_t>(value.size()));
      to.pack_str_body(value.data(), static_cast<uint32_t>(value.size()));
    };
    to.pack_array(4);
    to.pack_uint8(static_cast<uint8_t>(frame_kind::invoke));
    text(header.request_id);
    to.pack_int64(header.deadline_ms);
    text(header.client_context);
  });
}

void encode_reply(std::string& out, const reply_header& header, size_t payload_bytes) {
  encode(out, payload_bytes, [&header](packer& to) {
    to.pack_array(2);
    to.pack_uint8(static_cast<uint8_t>(header.kind));
    to.pack_uint8(static_cast<uint8_t>(header.flag));
  });
}

std::optional<invoke_header> decode_invoke(std::string_view bytes) noexcept {
  msgpack_reader from{bytes};
  if (from.array() != 4 || !is(from.integer(), frame_kind::invoke))
    return std::nullopt;
  const auto request_id = from.text();
  const auto deadline_ms = from.integer();
  const auto client_context = from.text();
  if (!request_id || !deadline_ms || !client_context || !from.at_end())
    return std::nullopt;
  return invoke_header{*request_id, *deadline_ms, *client_context};
}

std::optional<reply_header> decode_reply(std::string_view bytes) noexcept {
  msgpack_reader from{bytes};
  if (from.array() != 2)
    return std::nullopt;
  const auto kind = from.integer();
  const auto flag = from.integer();
  if (!flag || !from.at_end())
    return std::nullopt;
  const bool is_result = is(kind, frame_kind::result);
  if (!is_result && !is(kind, frame_kind::ready) && !is(kind, frame_kind::failed))
    return std::nullopt;
  if (*flag < 0 || *flag > (is_result ? static_cast<int64_t>(reply_flag::invalid_event) : 0))
    return std::nullopt;
  return reply_header{static_cast<frame_kind>(*kind), static_cast<reply_flag>(*flag)};
}

} // namespace troupe::wire
