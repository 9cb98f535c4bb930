#include "actors/cluster/hello.hpp"

#include "config/limits.hpp"
#include "config/names.hpp"
#include "handlers/wire/msgpack_reader.hpp"

#include <msgpack.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::cluster {

namespace {

constexpr std::string_view magic = "TRPE";

/// By bit, from the lowest. A bit keeps its meaning for good.
constexpr bool config::node_roles::*roles_by_bit[] = {&config::node_roles::balancer, &config::node_roles::worker,
                                                      &config::node_roles::handler_store};

/// How many elements a hello of this protocol has.
constexpr uint64_t hello_elements = 8;
/// The first of them are the same in every protocol.
constexpr uint64_t lasting_elements = 4;

/// What msgpack::packer writes to.
struct string_sink {
  std::string& bytes;
  void write(const char* data, size_t size) { bytes.append(data, size); }
};

std::string frame(frame_kind kind, std::string_view body) {
  std::string bytes{magic};
  bytes += static_cast<char>(kind);
  bytes += static_cast<char>(body.size() & 0xff);
  bytes += static_cast<char>(body.size() >> 8);
  return bytes.append(body);
}

size_t body_bytes_max(frame_kind kind) noexcept {
  switch (kind) {
    case frame_kind::hello: return limits::hello_bytes_max;
    case frame_kind::welcome: return 0;
    case frame_kind::refusal:
    case frame_kind::later: return limits::refusal_bytes_max;
  }
  return 0;
}

/// Whether `text` can be shown as it is: graphic ASCII without blanks.
bool is_word(std::string_view text, size_t bytes_max) {
  return text.size() <= bytes_max && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// Reads what only this protocol's hellos hold; false when it is not as it should be.
bool decode_rest(wire::msgpack_reader& from, hello& into) {
  const auto roles = roles_from(from.integer().value_or(-1));
  const auto id = uuid::parse(from.text().value_or(""));
  const auto address = from.text();
  const auto port = from.integer();
  if (!roles || !id || id->is_nil() || !address || !is_word(*address, limits::host_bytes_max))
    return false;
  if (!port || !std::in_range<uint16_t>(*port) || !from.at_end())
    return false;
  into.roles = *roles;
  into.id = *id;
  into.address = *address;
  into.port = static_cast<uint16_t>(*port);
  return true;
}

/// What a stranger wrote, as text that may be printed and logged.
std::string one_line(std::string_view text, size_t bytes_max) {
  std::string line{text.substr(0, bytes_max)};
  for (char& c : line)
    if (c < ' ' || c >= 0x7f)
      c = '?';
  return line;
}

/// "n2 (troupe 0.1.0)"
std::string node_text(const hello& node) {
  return node.name + (node.version.empty() ? "" : " (troupe " + node.version + ")");
}

} // namespace

uint8_t bits_of(config::node_roles roles) noexcept {
  uint8_t bits = 0;
  for (size_t i = 0; i < std::size(roles_by_bit); ++i)
    bits |= static_cast<uint8_t>(roles.*roles_by_bit[i] ? 1U << i : 0U);
  return bits;
}

std::optional<config::node_roles> roles_from(int64_t bits) noexcept {
  if (bits < 0 || bits >> std::size(roles_by_bit) != 0)
    return std::nullopt;
  config::node_roles result;
  for (size_t i = 0; i < std::size(roles_by_bit); ++i)
    result.*roles_by_bit[i] = (bits >> i & 1) != 0;
  return result;
}

std::string encode_frame(const hello& what) {
  std::string body;
  string_sink sink{body};
  msgpack::packer to{sink};
  const auto text = [&to](std::string_view value) {
    to.pack_str(static_cast<uint32_t>(value.size()));
    to.pack_str_body(value.data(), static_cast<uint32_t>(value.size()));
  };
  to.pack_array(hello_elements);
  to.pack_uint32(what.protocol);
  text(what.cluster);
  text(what.name);
  text(what.version);
  to.pack_uint8(bits_of(what.roles));
  text(what.id.to_string());
  text(what.address);
  to.pack_uint16(what.port);
  return frame(frame_kind::hello, body);
}

std::string encode_welcome() {
  return frame(frame_kind::welcome, {});
}

std::string encode_refusal(const refusal& why) {
  return frame(why.kind, std::string_view{why.reason}.substr(0, limits::refusal_bytes_max));
}

std::optional<frame_prefix> decode_prefix(std::string_view bytes) noexcept {
  if (bytes.size() < frame_prefix_bytes || !bytes.starts_with(magic))
    return std::nullopt;
  const auto at = [bytes](size_t index) { return static_cast<uint8_t>(bytes[index]); };
  if (at(4) < static_cast<uint8_t>(frame_kind::hello) || at(4) > static_cast<uint8_t>(frame_kind::later))
    return std::nullopt;
  const frame_prefix prefix{static_cast<frame_kind>(at(4)), static_cast<uint16_t>(at(5) | at(6) << 8)};
  if (prefix.body_bytes > body_bytes_max(prefix.kind))
    return std::nullopt;
  return prefix;
}

std::optional<hello> decode_hello(std::string_view body) {
  wire::msgpack_reader from{body};
  const auto elements = from.array();
  const auto protocol = from.integer();
  const auto cluster = from.text();
  const auto name = from.text();
  const auto version = from.text();
  if (!elements || !protocol || !std::in_range<uint32_t>(*protocol) || !cluster || !name || !version)
    return std::nullopt;
  if (!is_label(*cluster) || !is_label(*name) || !is_word(*version, limits::version_text_bytes_max))
    return std::nullopt;
  hello result;
  result.protocol = static_cast<uint32_t>(*protocol);
  result.cluster = *cluster;
  result.name = *name;
  result.version = *version;
  if (result.protocol != protocol_version)
    return *elements >= lasting_elements ? std::optional{result} : std::nullopt;
  if (*elements != hello_elements || !decode_rest(from, result))
    return std::nullopt;
  return result;
}

std::string decode_refusal(std::string_view body) {
  return body.empty() ? "no reason was given" : one_line(body, limits::refusal_bytes_max);
}

std::optional<std::string> judge(const hello& mine, const hello& theirs,
                                 const std::optional<std::string>& certificate_name) {
  if (theirs.cluster != mine.cluster)
    return theirs.name + " is of the cluster '" + theirs.cluster + "' and " + mine.name + " of '" + mine.cluster
         + "': give both the same cluster name, or take the one out of the other's seeds";
  if (theirs.protocol != mine.protocol)
    return node_text(theirs) + " speaks version " + std::to_string(theirs.protocol) + " of the cluster's protocol and "
         + node_text(mine) + " version " + std::to_string(mine.protocol) + ": run the same troupe on both";
  if (theirs.id == mine.id)
    return theirs.name == mine.name ? mine.name + " has reached itself: take its own address out of its seeds"
                                    : theirs.name + " and " + mine.name + " have the same id: start one of them anew";
  if (theirs.name == mine.name)
    return "two nodes are called " + mine.name + ": give each a name of its own";
  if (certificate_name && *certificate_name != theirs.name)
    return "the certificate of " + theirs.name + " is for '" + one_line(*certificate_name, limits::label_bytes_max)
         + "': give " + theirs.name + " one whose common name is " + theirs.name;
  return std::nullopt;
}

} // namespace troupe::cluster
