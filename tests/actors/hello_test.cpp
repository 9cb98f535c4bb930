#define CAF_SUITE actors.hello

#include "actors/cluster/hello.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::cluster;

namespace {

hello sample(std::string name = "n2") {
  return {.cluster = "c",
          .name = std::move(name),
          .version = "0.1.0",
          .roles = {.worker = true, .handler_store = true},
          .id = uuid::make(),
          .address = "10.0.0.2",
          .port = 7400};
}

std::string body_of(const hello& what) {
  return encode_frame(what).substr(frame_prefix_bytes);
}

/// A msgpack text of less than 32 bytes.
std::string text(std::string_view value) {
  return static_cast<char>(0xa0 + value.size()) + std::string{value};
}

/// The body of a hello from its parts as they stand.
std::string body(std::string_view head, std::string_view roles, std::string_view id, std::string_view rest) {
  return std::string{head}.append(roles).append(text(id)).append(rest);
}

} // namespace

CAF_TEST(a hello comes back as it was) {
  auto what = sample();
  const auto frame = encode_frame(what);
  const auto prefix = decode_prefix(frame);
  CAF_REQUIRE(prefix.has_value());
  CAF_CHECK(prefix->kind == frame_kind::hello);
  CAF_CHECK_EQUAL(prefix->body_bytes + frame_prefix_bytes, frame.size());
  CAF_CHECK(decode_hello(frame.substr(frame_prefix_bytes)) == what);
  what.address.clear();
  what.roles = {};
  what.port = 0;
  CAF_CHECK(decode_hello(body_of(what)) == what);
}

CAF_TEST(the largest hello fits a frame) {
  auto what = sample(std::string(limits::label_bytes_max, 'n'));
  what.cluster = std::string(limits::label_bytes_max, 'c');
  what.version = std::string(limits::version_text_bytes_max, '1');
  what.address = std::string(limits::host_bytes_max, 'a');
  what.port = 65'535;
  const auto frame = encode_frame(what);
  CAF_CHECK(decode_prefix(frame).has_value());
  CAF_CHECK(decode_hello(frame.substr(frame_prefix_bytes)) == what);
}

CAF_TEST(every byte of a hello counts) {
  const auto whole = body_of(sample());
  for (size_t size = 0; size < whole.size(); ++size)
    CAF_CHECK(!decode_hello(whole.substr(0, size)));
  CAF_CHECK(!decode_hello(whole + "\xc0"));
}

CAF_TEST(parts out of their bounds make no hello) {
  const std::vector<std::function<void(hello&)>> faults{
    [](hello& x) { x.cluster.clear(); },
    [](hello& x) { x.cluster = "A"; },
    [](hello& x) { x.name.clear(); },
    [](hello& x) { x.name = "n\n1"; },
    [](hello& x) { x.name = std::string(limits::label_bytes_max + 1, 'n'); },
    [](hello& x) { x.version = "1 2"; },
    [](hello& x) { x.version = std::string(limits::version_text_bytes_max + 1, '1'); },
    [](hello& x) { x.id = {}; },
    [](hello& x) { x.address = "a b"; },
    [](hello& x) { x.address = "\x1b[2J"; },
    [](hello& x) { x.address = std::string(limits::host_bytes_max + 1, 'a'); },
  };
  for (const auto& spoil : faults) {
    auto what = sample();
    spoil(what);
    CAF_CHECK(!decode_hello(body_of(what)));
  }
}

CAF_TEST(forms that msgpack knows and a hello does not are refused) {
  const auto id = uuid::make().to_string();
  const auto head = "\x98\x02" + text("c") + text("n2") + text("0.1.0");
  const auto long_id = std::string{"\xd9\x24"} + id;
  const auto whole = [&](std::string_view roles, std::string_view rest) {
    return std::string{head}.append(roles).append(long_id).append(rest);
  };
  CAF_CHECK(decode_hello(whole("\x07", text("a") + "\x01")).has_value());
  CAF_CHECK(!decode_hello(whole("\x08", text("a") + "\x01")));                 // a role that is none
  CAF_CHECK(!decode_hello(whole("\xff", text("a") + "\x01")));                 // -1
  CAF_CHECK(!decode_hello(whole("\x07", text("a") + "\xff")));                 // a port of -1
  CAF_CHECK(!decode_hello(whole("\x07", text("a") + "\xce\x7f\xff\xff\xff"))); // a port of 2^31
  CAF_CHECK(!decode_hello(whole("\x07", "\xc0\x01")));                         // nil for an address
  CAF_CHECK(!decode_hello(body(head, "\x07", "no id", text("a") + "\x01")));
  CAF_CHECK(!decode_hello("\xdd\xff\xff\xff\xff\x01"));
  CAF_CHECK(!decode_hello("\x98\x02\xdb\xff\xff\xff\xff"));
}

CAF_TEST(of another protocol only what lasts is read) {
  const auto head = text("c") + text("n2") + text("9.0");
  const auto later = decode_hello("\x96\x03" + head + "\xc1 whatever");
  CAF_REQUIRE(later.has_value());
  CAF_CHECK_EQUAL(later->protocol, 3u);
  CAF_CHECK_EQUAL(later->name, "n2");
  CAF_CHECK_EQUAL(later->version, "9.0");
  CAF_CHECK(later->id.is_nil());
  CAF_CHECK(!decode_hello("\x93\x03" + head));
  CAF_CHECK(!decode_hello("\x96\xff" + head));
  CAF_CHECK(!decode_hello("\x96\xcf\x01\x01\x01\x01\x01\x01\x01\x01" + head));
}

CAF_TEST(prefixes announce what is within bounds) {
  const auto frame = encode_frame(sample());
  const auto with = [&frame](size_t at, char byte) {
    auto other = frame;
    other[at] = byte;
    return decode_prefix(other).has_value();
  };
  CAF_CHECK(!decode_prefix(frame.substr(0, frame_prefix_bytes - 1)));
  CAF_CHECK(!with(0, 'X'));
  CAF_CHECK(!with(3, 'X'));
  CAF_CHECK(!with(4, 0));
  CAF_CHECK(!with(4, 5));
  CAF_CHECK(!with(6, 5)); // 1,280 bytes and some
  CAF_CHECK(!with(4, static_cast<char>(frame_kind::welcome)));
  CAF_CHECK(decode_prefix(encode_welcome()).has_value());
}

CAF_TEST(a refusal is one line that can be shown) {
  const auto frame = encode_refusal({frame_kind::refusal, std::string(5000, 'x')});
  const auto prefix = decode_prefix(frame);
  CAF_REQUIRE(prefix.has_value());
  CAF_CHECK_EQUAL(size_t{prefix->body_bytes}, limits::refusal_bytes_max);
  const auto later = decode_prefix(encode_refusal({frame_kind::later, "n1 is going to dial n2"}));
  CAF_REQUIRE(later.has_value());
  CAF_CHECK(later->kind == frame_kind::later);
  CAF_CHECK_EQUAL(decode_refusal("a\nb\x1b[2J\xff"), "a?b?[2J?");
  CAF_CHECK_EQUAL(decode_refusal(""), "no reason was given");
  CAF_CHECK_EQUAL(decode_refusal(std::string(5000, 'x')).size(), limits::refusal_bytes_max);
}

CAF_TEST(roles are read and written) {
  const config::node_roles both{.balancer = true, .worker = true};
  CAF_CHECK_EQUAL(bits_of(both), 3u);
  CAF_CHECK_EQUAL(bits_of({.handler_store = true}), 4u);
  CAF_CHECK_EQUAL(to_string(both), "balancer, worker");
  CAF_CHECK(roles_from(bits_of(both)) == both);
  CAF_CHECK(!roles_from(8));
  CAF_CHECK(!roles_from(-1));
  CAF_CHECK(!roles_from(256));
}

CAF_TEST(who may not be in one cluster is told why) {
  const auto mine = sample("n1");
  const auto good = sample("n2");
  CAF_CHECK(!judge(mine, good, std::nullopt));
  CAF_CHECK(!judge(mine, good, "n2"));
  const auto reason = [&mine](const hello& theirs, const std::optional<std::string>& certificate = std::nullopt) {
    return judge(mine, theirs, certificate).value_or("none");
  };
  auto other = good;
  other.cluster = "d";
  CAF_CHECK_EQUAL(reason(other), "n2 is of the cluster 'd' and n1 of 'c': give both the same cluster name, or take the "
                                 "one out of the other's seeds");
  other = good;
  other.protocol = 7;
  other.version = "9.0";
  CAF_CHECK_EQUAL(reason(other), "n2 (troupe 9.0) speaks version 7 of the cluster's protocol and n1 (troupe 0.1.0) "
                                 "version 2: run the same troupe on both");
  CAF_CHECK_EQUAL(reason(mine), "n1 has reached itself: take its own address out of its seeds");
  other = good;
  other.name = "n1";
  CAF_CHECK_EQUAL(reason(other), "two nodes are called n1: give each a name of its own");
  other = good;
  other.id = mine.id;
  CAF_CHECK_EQUAL(reason(other), "n2 and n1 have the same id: start one of them anew");
  CAF_CHECK_EQUAL(reason(good, "n\n3"), "the certificate of n2 is for 'n?3': give n2 one whose common name is n2");
  CAF_CHECK_EQUAL(reason(good, ""), "the certificate of n2 is for '': give n2 one whose common name is n2");
}
