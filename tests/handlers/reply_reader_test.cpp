#define CAF_SUITE handlers.reply_reader

#include "handlers/wire/reply_reader.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include <caf/test/unit_test.hpp>

#include "config/limits.hpp"

using namespace troupe;
using namespace troupe::wire;

namespace {

/// A payload that shows when a byte is missing or at another place.
std::string text(size_t size) {
  std::string out(size, '\0');
  for (size_t n = 0; n < size; ++n)
    out[n] = static_cast<char>('a' + n % 23);
  return out;
}

std::string frame(const std::string& payload, frame_kind kind = frame_kind::result) {
  std::string out;
  encode_reply(out, {kind, reply_flag::none}, payload.size());
  return out + payload;
}

/// What a prefix announces that nothing follows.
std::string prefix(uint32_t header, uint32_t payload) {
  std::string out;
  for (const auto number : {header, payload})
    for (int shift = 0; shift < 32; shift += 8)
      out += static_cast<char>(number >> shift);
  return out;
}

struct reader_fixture {
  /// Writes in pieces, as if each were what one read has brought; a piece of 0 is as much as there is room for.
  void write(std::string_view bytes, size_t piece = 0) {
    while (!bytes.empty() && !reader.broken()) {
      const auto room = reader.room();
      CAF_REQUIRE(!room.empty());
      const size_t count = std::min({bytes.size(), room.size(), piece == 0 ? bytes.size() : piece});
      std::copy_n(bytes.begin(), count, room.begin());
      bytes.remove_prefix(count);
      largest_room = std::max(largest_room, room.size());
      reader.came(count);
      while (auto reply = reader.next())
        replies.push_back(std::move(*reply));
    }
  }

  reply_reader reader;
  std::vector<reply> replies;
  size_t largest_room = 0;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(reply_reader_tests, reader_fixture)

CAF_TEST(replies of every length come as they were sent and in their order) {
  const size_t sizes[] = {0,
                          1,
                          100,
                          16'000,
                          16'373,
                          16'374,
                          16'375,
                          16 * 1024,
                          20'000,
                          0,
                          3,
                          262'144,
                          300'000,
                          1'000'000,
                          262'155,
                          5,
                          limits::frame_payload_bytes_max};
  std::string all = frame("", frame_kind::ready);
  for (const auto size : sizes)
    all += frame(text(size));
  for (const size_t piece : {0, 4096, 65'536, 7001}) {
    replies.clear();
    write(all, piece);
    CAF_REQUIRE_EQUAL(replies.size(), std::size(sizes) + 1);
    CAF_CHECK(replies[0].header.kind == frame_kind::ready);
    for (size_t n = 0; n < std::size(sizes); ++n) {
      CAF_CHECK(replies[n + 1].header.kind == frame_kind::result);
      CAF_CHECK(replies[n + 1].payload == text(sizes[n]));
    }
  }
  CAF_CHECK(!reader.broken());
}

CAF_TEST(it does not matter where one read ends and the next begins) {
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    std::string all;
    std::vector<size_t> sizes;
    for (int n = 0; n < 8; ++n) {
      sizes.push_back(random() % (n % 3 == 0 ? 50'000 : 300));
      all += frame(text(sizes.back()));
    }
    replies.clear();
    for (size_t at = 0; at < all.size();) {
      const size_t count = std::min<size_t>(all.size() - at, random() % (round % 2 == 0 ? 40'000 : 12) + 1);
      write(std::string_view{all}.substr(at, count));
      at += count;
    }
    CAF_REQUIRE_EQUAL(replies.size(), sizes.size());
    for (size_t n = 0; n < sizes.size(); ++n)
      CAF_CHECK(replies[n].payload == text(sizes[n]));
  }
}

CAF_TEST(a long reply takes memory as it comes and not as it is announced) {
  write(frame(text(limits::frame_payload_bytes_max)).substr(0, 20'000), 1000);
  CAF_CHECK(replies.empty());
  CAF_CHECK(!reader.broken());
  CAF_CHECK(largest_room <= long_piece_bytes);
}

CAF_TEST(a long reply leaves nothing to the next) {
  write(frame(text(100'000)) + frame("next"), 50'000);
  CAF_REQUIRE_EQUAL(replies.size(), 2u);
  CAF_CHECK_EQUAL(replies[1].payload, "next");
}

CAF_TEST(what is no frame ends it and what came before still counts) {
  const std::string none[] = {
    prefix(0, 0),
    prefix(limits::frame_header_bytes_max + 1, 0),
    prefix(limits::frame_header_bytes_max, 0), // a reply's is some bytes long
    prefix(16 * 1024, 0),
    prefix(3, limits::frame_payload_bytes_max + 1),
    prefix(0xFFFFFFFF, 0xFFFFFFFF),
    prefix(3, 1) + "xyz?",
    prefix(3, 100'000) + "xyz",
  };
  for (const auto& bytes : none)
    for (const size_t piece : {0, 1}) {
      reader = reply_reader{};
      replies.clear();
      write(frame("good") + bytes + frame("never"), piece);
      CAF_CHECK(reader.broken());
      CAF_REQUIRE_EQUAL(replies.size(), 1u);
      CAF_CHECK_EQUAL(replies[0].payload, "good");
    }
}

CAF_TEST(any bytes at all are taken or refused) {
  std::mt19937 random{11};
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    reader = reply_reader{};
    std::string bytes = frame(text(random() % 40'000)) + frame("x");
    for (int n = 0; n < 3; ++n)
      bytes[random() % std::min<size_t>(bytes.size(), 24)] = static_cast<char>(random());
    write(bytes, random() % 5000);
    refused += reader.broken();
  }
  CAF_CHECK(refused > 500);
}

CAF_TEST_FIXTURE_SCOPE_END()
