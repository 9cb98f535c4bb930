#define CAF_SUITE handlers.frames

#include "handlers/wire/frames.hpp"

#include <limits>
#include <random>

#include <caf/test/unit_test.hpp>
#include <msgpack.hpp>

#include "config/limits.hpp"

using namespace troupe::wire;

namespace {

/// The header between prefix and payload.
std::string_view header_of(const std::string& frame) {
  const auto prefix = read_prefix(frame);
  CAF_REQUIRE(prefix.has_value());
  return std::string_view{frame}.substr(prefix_bytes, prefix->header_bytes);
}

std::string encoded(const invoke_header& header, size_t payload_bytes = 0) {
  std::string out;
  encode_invoke(out, header, payload_bytes);
  return out;
}

std::string encoded(const reply_header& header, size_t payload_bytes = 0) {
  std::string out;
  encode_reply(out, header, payload_bytes);
  return out;
}

/// A header as msgpack-c writes it, to have something that our own encoder did not make.
template <class... Ts>
std::string packed(const Ts&... elements) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> to{buffer};
  to.pack_array(sizeof...(elements));
  (to.pack(elements), ...);
  return {buffer.data(), buffer.size()};
}

const reply_header every_reply[] = {
  {frame_kind::ready, reply_flag::none},           {frame_kind::failed, reply_flag::none},
  {frame_kind::result, reply_flag::none},          {frame_kind::result, reply_flag::raised},
  {frame_kind::result, reply_flag::invalid_event},
};

} // namespace

CAF_TEST(invoke headers come back as they were) {
  const auto smallest = std::numeric_limits<int64_t>::min(), largest = std::numeric_limits<int64_t>::max();
  const int64_t deadlines[] = {0, 1, -1, 127, 128, -33, 1'800'000'000'000, smallest, largest};
  for (const auto deadline : deadlines)
    for (const size_t text : {0, 1, 31, 32, 255, 256, 3583, 65'535}) {
      const std::string id(text, 'i'), context(text / 2, '{');
      const auto frame = encoded({id, deadline, context}, 77);
      const auto back = decode_invoke(header_of(frame));
      CAF_REQUIRE(back.has_value());
      CAF_CHECK_EQUAL(back->request_id, id);
      CAF_CHECK_EQUAL(back->deadline_ms, deadline);
      CAF_CHECK_EQUAL(back->client_context, context);
      const auto prefix = read_prefix(frame).value();
      CAF_CHECK_EQUAL(prefix.payload_bytes, 77u);
      CAF_CHECK_EQUAL(prefix.total(), frame.size() + 77);
    }
}

CAF_TEST(reply headers come back as they were) {
  for (const auto& header : every_reply) {
    const auto frame = encoded(header, 5);
    const auto back = decode_reply(header_of(frame));
    CAF_REQUIRE(back.has_value());
    CAF_CHECK(back->kind == header.kind);
    CAF_CHECK(back->flag == header.flag);
  }
}

CAF_TEST(the bytes are those of the README) {
  CAF_CHECK_EQUAL(encoded(reply_header{frame_kind::result, reply_flag::raised}, 0x01020304),
                  std::string("\x03\0\0\0\x04\x03\x02\x01\x92\x04\x01", 11));
  CAF_CHECK_EQUAL(encoded(invoke_header{"xy", 5, ""}, 2),
                  std::string("\x07\0\0\0\x02\0\0\0\x94\x01\xa2xy\x05\xa0", 15));
}

CAF_TEST(a kept buffer is not allocated again) {
  std::string out;
  const std::string id(36, 'x');
  encode_invoke(out, {id, 1'800'000'000'000, "{}"}, 100);
  const auto* data = out.data();
  for (int i = 0; i < 10; ++i) {
    encode_reply(out, {frame_kind::result, reply_flag::none}, 100);
    encode_invoke(out, {id, 1'800'000'000'000, "{}"}, 100);
    CAF_CHECK(out.data() == data);
  }
}

CAF_TEST(every truncation and every extension is refused) {
  const auto invoke = encoded(invoke_header{"0190a000-0000-7000-8000-000000000000", 1'800'000'000'000, "{}"});
  const auto header = header_of(invoke);
  for (size_t size = 0; size < header.size(); ++size)
    CAF_CHECK(!decode_invoke(header.substr(0, size)));
  CAF_CHECK(!decode_invoke(std::string{header} + '\0'));
  for (const auto& reply : every_reply) {
    const auto frame = encoded(reply);
    for (size_t size = 0; size < header_of(frame).size(); ++size)
      CAF_CHECK(!decode_reply(header_of(frame).substr(0, size)));
    CAF_CHECK(!decode_reply(std::string{header_of(frame)} + '\x01'));
  }
  for (size_t size = 0; size < prefix_bytes; ++size)
    CAF_CHECK(!read_prefix(std::string_view{invoke}.substr(0, size)));
}

CAF_TEST(long forms of msgpack are read too) {
  const std::string wide("\xdd\0\0\0\x04"                       // array 32
                         "\xcf\0\0\0\0\0\0\0\x01"               // uint 64
                         "\xdb\0\0\0\x02id"                     // str 32
                         "\xd3\xff\xff\xff\xff\xff\xff\xff\xfe" // int 64
                         "\xda\0\x01{",                         // str 16
                         5 + 9 + 7 + 9 + 4);
  const auto back = decode_invoke(wide);
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL(back->request_id, "id");
  CAF_CHECK_EQUAL(back->deadline_ms, -2);
  CAF_CHECK_EQUAL(back->client_context, "{");
}

CAF_TEST(other shapes are refused) {
  CAF_CHECK(decode_invoke(packed(1, "id", 7, "")).has_value());
  CAF_CHECK(!decode_invoke(packed(2, "id", 7, "")));
  CAF_CHECK(!decode_invoke(packed(1, 5, 7, "")));
  CAF_CHECK(!decode_invoke(packed(1, "id", "7", "")));
  CAF_CHECK(!decode_invoke(packed(1, "id", 7.5, "")));
  CAF_CHECK(!decode_invoke(packed(1, "id", std::numeric_limits<uint64_t>::max(), "")));
  CAF_CHECK(!decode_invoke(packed(1, "id", 7)));
  CAF_CHECK(!decode_invoke(packed(1, "id", 7, "", "")));
  CAF_CHECK(!decode_invoke(std::string("\x94\x01\xdb\xff\xff\xff\xff", 7)));
  CAF_CHECK(decode_reply(packed(4, 2)).has_value());
  CAF_CHECK(!decode_reply(packed(4, 3)));
  CAF_CHECK(!decode_reply(packed(4, -1)));
  CAF_CHECK(!decode_reply(packed(2, 1)));
  CAF_CHECK(!decode_reply(packed(3, 2)));
  CAF_CHECK(!decode_reply(packed(1, 0)));
  CAF_CHECK(!decode_reply(packed(0, 0)));
  CAF_CHECK(!decode_reply(packed(260, 0)));
  CAF_CHECK(!decode_reply(packed(4)));
  CAF_CHECK(!decode_reply(packed(4, true)));
}

CAF_TEST(limits of a prefix) {
  namespace limits = troupe::limits;
  const auto header_max = static_cast<uint32_t>(limits::frame_header_bytes_max);
  const auto payload_max = static_cast<uint32_t>(limits::frame_payload_bytes_max);
  CAF_CHECK(acceptable({1, 0}));
  CAF_CHECK(acceptable({header_max, payload_max}));
  CAF_CHECK(!acceptable({0, 0}));
  CAF_CHECK(!acceptable({header_max + 1, 0}));
  CAF_CHECK(!acceptable({1, payload_max + 1}));
  CAF_CHECK(!acceptable({0xffffffff, 0xffffffff}));
  CAF_CHECK_EQUAL((frame_prefix{0xffffffff, 0xffffffff}.total()), 8 + 2 * size_t{0xffffffff});
}

CAF_TEST(garbage is refused or means something within the enums) {
  std::mt19937 random{7};
  const auto base = std::string{header_of(encoded(invoke_header{"0190a000", 1'800'000'000'000, "{}"}))};
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = i % 2 == 0 ? base : std::string(random() % 24, '\0');
    for (size_t flips = 1 + random() % 8; flips > 0 && !bytes.empty(); --flips)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    if (const auto invoke = decode_invoke(bytes)) {
      const auto inside = [&bytes](std::string_view view) {
        return view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size();
      };
      CAF_REQUIRE(inside(invoke->request_id) && inside(invoke->client_context));
    }
    if (const auto reply = decode_reply(bytes))
      CAF_REQUIRE(reply->kind >= frame_kind::ready && reply->kind <= frame_kind::result
                  && reply->flag <= reply_flag::invalid_event);
  }
}
