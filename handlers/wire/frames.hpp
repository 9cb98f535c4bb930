#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The frames between the node and a handler process, on two pipes. handlers/wire/README.md gives the bytes.
/// A frame is a prefix of 8 bytes (header length, payload length; little-endian uint32), a msgpack array, and the
/// payload as it is: the event or answer is never parsed or copied by the node.
namespace troupe::wire {

inline constexpr size_t prefix_bytes = 8;

enum class frame_kind : uint8_t {
  invoke = 1, ///< node -> handler: run the payload as an event
  ready = 2,  ///< handler -> node: the handler is loaded
  failed = 3, ///< handler -> node: loading it raised; the payload is the error document; the process ends
  result = 4, ///< handler -> node: the answer, or what reply_flag says
};

/// What the payload of a result is.
enum class reply_flag : uint8_t {
  none = 0,          ///< the handler's answer: JSON
  raised = 1,        ///< the handler raised: an error document, JSON
  invalid_event = 2, ///< the event was not JSON and nothing ran: the reason, one line of text for the client
};

/// The prefix: what has to be read to know how much has to be read.
struct frame_prefix {
  uint32_t header_bytes = 0;
  uint32_t payload_bytes = 0;

  size_t total() const noexcept { return prefix_bytes + header_bytes + payload_bytes; }
};

/// Reads a prefix; nullopt when fewer than prefix_bytes are there.
std::optional<frame_prefix> read_prefix(std::string_view bytes) noexcept;

/// Whether a frame of that size is within config/limits.hpp.
bool acceptable(const frame_prefix& prefix) noexcept;

struct invoke_header {
  std::string_view request_id;     ///< the invocation's id as text
  int64_t deadline_ms = 0;         ///< since the epoch: what get_remaining_time_in_millis() counts to
  std::string_view client_context; ///< JSON, or empty
};

/// What a handler process says. Only a result carries a flag other than `none`.
struct reply_header {
  frame_kind kind = frame_kind::ready;
  reply_flag flag = reply_flag::none;
};

/// Prefix and header of an invoke frame, into `out` (which is cleared first and keeps its capacity).
void encode_invoke(std::string& out, const invoke_header& header, size_t payload_bytes);

/// Prefix and header of a reply.
void encode_reply(std::string& out, const reply_header& header, size_t payload_bytes);

/// Decode the msgpack array between prefix and payload; nullopt when it is not what it should be. The views point
/// into `bytes`.
std::optional<invoke_header> decode_invoke(std::string_view bytes) noexcept;
std::optional<reply_header> decode_reply(std::string_view bytes) noexcept;

} // namespace troupe::wire
