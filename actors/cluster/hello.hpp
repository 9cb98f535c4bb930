#pragma once

#include "config/cluster.hpp"
#include "config/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What two nodes tell each other before anything else, and when they turn each other away. actors/cluster/README.md
/// gives the bytes.
namespace troupe::cluster {

/// Grows with every change of what nodes say to each other: hellos, messages, their types. Nodes with different ones
/// do not join.
inline constexpr uint32_t protocol_version = 2;

/// Roles as the bits of a hello.
uint8_t bits_of(config::node_roles roles) noexcept;

/// nullopt when there is a bit that means nothing here.
std::optional<config::node_roles> roles_from(int64_t bits) noexcept;

struct hello {
  uint32_t protocol = protocol_version;
  std::string cluster; ///< a label (config/names.hpp), as is `name`
  std::string name;    ///< of the node
  std::string version; ///< of the program, for people
  config::node_roles roles;
  uuid id;             ///< of this start of the node: another one each time
  std::string address; ///< where others reach the node, an address or a DNS name; empty: where it is seen
  uint16_t port = 0;   ///< 0: nowhere

  bool operator==(const hello&) const = default;
};

/// What a frame of the handshake is.
enum class frame_kind : uint8_t {
  hello = 1,   ///< the body is a hello
  welcome = 2, ///< from the side that dialled: both agree; no body
  refusal = 3, ///< the body is the reason, a line of text
  later = 4,   ///< nothing is wrong: who says it is going to dial, or has a link already; the body is a line of text
};

/// Why a node may not come in.
struct refusal {
  frame_kind kind = frame_kind::refusal; ///< or `later`
  std::string reason;                    ///< a line for either side's people
};

inline constexpr size_t frame_prefix_bytes = 7;

struct frame_prefix {
  frame_kind kind = frame_kind::hello;
  uint16_t body_bytes = 0;
};

/// A whole frame. A hello must fit limits::hello_bytes_max, as one does whose parts are in their bounds; a refusal is
/// made to fit.
std::string encode_frame(const hello& what);
std::string encode_welcome();
std::string encode_refusal(const refusal& why);

/// Reads the first frame_prefix_bytes of a frame. nullopt when they are none, or announce a body over its bound.
std::optional<frame_prefix> decode_prefix(std::string_view bytes) noexcept;

/// Reads the body of a hello: nullopt when it is not exactly one with every part in its bounds. Of another protocol's
/// hello only protocol, cluster, name and version are read, which stand first in each.
std::optional<hello> decode_hello(std::string_view body);

/// A refusal's body as one line that may be printed and logged, whatever the bytes.
std::string decode_refusal(std::string_view body);

/// Why the two may not be in one cluster: a line that says what to do, for either side's people. `certificate_name` is
/// the name that the other node has proved; nullopt without TLS.
std::optional<std::string> judge(const hello& mine, const hello& theirs,
                                 const std::optional<std::string>& certificate_name);

} // namespace troupe::cluster
