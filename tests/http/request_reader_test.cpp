#define CAF_SUITE http.request_reader

#include "http/request_reader.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::http;
using namespace std::string_view_literals;
using progress = request_reader::progress;

namespace {

/// Feeds `bytes` in pieces of `step` as a session does; answers what was not used.
std::string feed(request_reader& reader, std::string_view bytes, size_t step, size_t body_bytes_max = 100) {
  std::string waiting;
  while (true) {
    for (bool moved = true; moved;) {
      const auto before = reader.state();
      const size_t used = reader.feed(waiting);
      waiting.erase(0, used);
      if (reader.state() == progress::decision)
        reader.accept(body_bytes_max);
      moved = used > 0 || reader.state() != before;
    }
    if (bytes.empty() || reader.state() == progress::done || reader.state() == progress::failed)
      return waiting.append(bytes);
    const auto piece = bytes.substr(0, step);
    waiting.append(piece);
    bytes.remove_prefix(piece.size());
  }
}

struct bad_case {
  std::string_view bytes;
  std::string_view what; ///< a part of the message, or empty when Beast says it
};

/// What proxies and servers disagree about, and plain nonsense. None of these may become a request; one that comes in
/// pieces without a proper line end may wait until there is one.
constexpr bad_case bad_cases[] = {
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "where the body ends"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", "not one number"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", ""},
  {"GET /x HTTP/1.1\r\nHost: h\r\nX-Troupe-Tenant: a\r\nX-Troupe-Tenant: a", "more than one X-Troupe-Tenant"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\n Content-Length: 3\r\n\r\nabc", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", "chunked"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "chunked"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "chunked"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\x0b chunked\r\n\r\n", ""},
  {"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "next line"},
  {"POST /x HTTP/1.1\r\nHost: h\r\nX: a\r\n\tTransfer-Encoding: chunked\r\n\r\n", "next line"},
  {"POST /x HTTP/1.1\nHost: h\n\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\nContent-Length: 3\r\n\r\nabc", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"sv, ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nX\x80: a\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", ""},
  {"POST /x HTTP/1.1\r\n\r\n", "one Host"},
  {"POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "one Host"},
  {"POST /x HTTP/2.0\r\nHost: h\r\n\r\n", ""},
  {"POST /x HTTP/1.2\r\nHost: h\r\n\r\n", ""},
  {"POST  /x HTTP/1.1\r\nHost: h\r\n\r\n", ""},
  {"POST /x\r\n\r\n", ""},
  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
  {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv, ""},
  {"POST /a b HTTP/1.1\r\nHost: h\r\n\r\n", ""},
  {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
  {"\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", ""},
};

constexpr std::string_view bad_chunks[] = {
  "x\r\n",
  "-1\r\n",
  "\r\n",
  " 3\r\nabc\r\n0\r\n\r\n",
  "3\r\nabcd\r\n0\r\n\r\n",
  "3\nabc\r\n0\r\n\r\n",
  "3 \r\nabc\r\n0\r\n\r\n;",
  "ffffffffffffffffff\r\n",
  "fffffffffffffffe\r\n",
  "0\r\nContent-Length : 4\r\n\r\n",
};

const std::string chunked = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

} // namespace

CAF_TEST(a request reads the same in pieces of every size) {
  const std::string bytes =
    "\r\nPOST /run/x?y HTTP/1.1\r\nHost: h\r\nX-Amz-Log-Type:  Tail \r\nx-amz-invocation-type: DryRun\r\n"
    "X-Amz-Client-Context: e30=\r\nX-TROUPE-tenant: acme\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\nhelloGET "
    "/";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    request_reader reader;
    const auto rest = feed(reader, bytes, step);
    CAF_REQUIRE(reader.state() == progress::done);
    const auto& request = reader.get();
    CAF_CHECK(request.method == boost::beast::http::verb::post);
    CAF_CHECK_EQUAL(request.target, "/run/x?y");
    CAF_CHECK_EQUAL(request.body, "hello");
    CAF_CHECK_EQUAL(request.log_type, "Tail");
    CAF_CHECK_EQUAL(request.invocation_type, "DryRun");
    CAF_CHECK_EQUAL(request.client_context, "e30=");
    CAF_CHECK_EQUAL(request.tenant, "acme");
    CAF_CHECK(request.expects_continue && request.keep_alive && request.http_1_1);
    CAF_CHECK_EQUAL(rest, "GET /");
  }
}

CAF_TEST(a chunked body reads the same in pieces of every size) {
  const std::string bytes =
    chunked + "3;name=value\r\nabc\r\n0A\r\n0123456789\r\n000\r\nTrailer: x\r\nHost: other\r\n\r\nGET";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    request_reader reader;
    const auto rest = feed(reader, bytes, step);
    CAF_REQUIRE(reader.state() == progress::done);
    CAF_CHECK_EQUAL(reader.get().body, "abc0123456789");
    CAF_CHECK_EQUAL(rest, "GET");
  }
}

CAF_TEST(an empty chunked body ends with its only chunk) {
  const std::string bytes = chunked + "0\r\n\r\n";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    request_reader reader;
    CAF_CHECK_EQUAL(feed(reader, bytes, step), "");
    CAF_REQUIRE(reader.state() == progress::done);
    CAF_CHECK_EQUAL(reader.get().body, "");
  }
}

CAF_TEST(one reader reads many requests and forgets each) {
  request_reader reader;
  auto rest =
    feed(reader,
         "POST /a HTTP/1.1\r\nHost: h\r\nX-Amz-Log-Type: Tail\r\nX-Troupe-Tenant: a\r\nContent-Length: 2\r\n\r\nhi"
         "GET /b HTTP/1.0\r\n\r\n",
         7);
  CAF_CHECK_EQUAL(reader.get().body, "hi");
  reader.restart();
  rest += feed(reader, rest, 1000);
  CAF_REQUIRE(reader.state() == progress::done);
  CAF_CHECK_EQUAL(reader.get().target, "/b");
  CAF_CHECK_EQUAL(reader.get().body, "");
  CAF_CHECK_EQUAL(reader.get().log_type, "");
  CAF_CHECK_EQUAL(reader.get().tenant, "");
  CAF_CHECK(!reader.get().keep_alive);
  CAF_CHECK(!reader.get().http_1_1);
}

CAF_TEST(what other servers might read otherwise is refused) {
  for (const auto& c : bad_cases) {
    for (const size_t step : {size_t{1}, size_t{16}, size_t{1000}}) {
      request_reader reader;
      feed(reader, std::string{c.bytes} + "\r\n\r\n", step);
      CAF_MESSAGE(caf::deep_to_string(std::string{c.bytes}));
      CAF_CHECK(reader.state() == progress::failed);
      CAF_CHECK(code_of(reader.problem()) == errc::invalid_argument);
      CAF_CHECK(what_of(reader.problem()).find(c.what) != std::string::npos);
    }
  }
}

CAF_TEST(malformed chunks are refused) {
  for (const auto& bytes : bad_chunks) {
    for (const size_t step : {size_t{1}, size_t{1000}}) {
      request_reader reader;
      feed(reader, chunked + std::string{bytes} + "\r\n\r\n", step);
      CAF_MESSAGE(caf::deep_to_string(std::string{bytes}));
      CAF_CHECK(reader.state() == progress::failed);
    }
  }
}

CAF_TEST(a header has a limit however it comes) {
  const std::string line = "X-Filler: " + std::string(990, 'x') + "\r\n";
  std::string bytes = "GET /x HTTP/1.1\r\nHost: h\r\n";
  while (bytes.size() < 2 * limits::header_bytes_max)
    bytes += line;
  for (const size_t step : {line.size(), size_t{100}, bytes.size()}) {
    request_reader reader;
    feed(reader, bytes, step);
    CAF_CHECK(reader.state() == progress::failed);
    CAF_CHECK(code_of(reader.problem()) == errc::headers_too_large);
  }
  request_reader reader;
  feed(reader, "GET /" + std::string(limits::header_bytes_max, 'x'), 1000);
  CAF_CHECK(code_of(reader.problem()) == errc::headers_too_large);
}

CAF_TEST(a body has a limit however it comes) {
  const std::string announced = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n";
  request_reader reader;
  feed(reader, announced, 1000);
  CAF_CHECK(code_of(reader.problem()) == errc::payload_too_large);

  request_reader one_chunk;
  feed(one_chunk, chunked + "65\r\nx", 1000);
  CAF_CHECK(code_of(one_chunk.problem()) == errc::payload_too_large);

  request_reader many_chunks;
  std::string bytes = chunked;
  for (int i = 0; i < 101; ++i)
    bytes += "1\r\nx\r\n";
  feed(many_chunks, bytes, 3);
  CAF_CHECK(code_of(many_chunks.problem()) == errc::payload_too_large);

  request_reader exact;
  feed(exact, chunked + "64\r\n" + std::string(100, 'x') + "\r\n0\r\n\r\n", 5);
  CAF_CHECK(exact.state() == progress::done);
  CAF_CHECK_EQUAL(exact.get().body.size(), 100u);
}

CAF_TEST(what is announced is reserved when much has arrived and then all at once) {
  request_reader reader;
  feed(reader, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 6000000\r\n\r\nx", 1000, 6'000'000);
  CAF_CHECK(reader.state() == progress::body);
  CAF_CHECK(reader.get().body.capacity() <= 2 * limits::kept_buffer_bytes_max);
  reader.feed(std::string(limits::kept_buffer_bytes_max, 'x'));
  const char* const place = reader.get().body.data();
  reader.feed(std::string(6'000'000 - 1 - limits::kept_buffer_bytes_max, 'y'));
  CAF_CHECK(reader.state() == progress::done);
  CAF_CHECK(reader.get().body.data() == place); // it was never copied
  CAF_CHECK_EQUAL(reader.get().body.size(), 6'000'000u);
}
