#define CAF_SUITE http.session

#include "http/session.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using test::client;
using test::text_of;

namespace {

struct fixture {
  test::test_node node;
  client peer{node.port()};
};

/// Time-outs that end soon.
struct hasty {
  static test::node_options options() {
    auto result = test::test_node::ready();
    result.http.header_timeout = 40ms;
    result.http.body_timeout = 40ms;
    result.http.idle_timeout = 40ms;
    return result;
  }

  test::test_node node{options()};
  client peer{node.port()};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(session_tests, fixture)

CAF_TEST(a connection serves request after request) {
  for (int i = 0; i < 100; ++i) {
    const auto got = peer.ask(text_of("POST", "/run/echo", std::to_string(i)));
    CAF_REQUIRE_EQUAL(got.status, 200);
    CAF_CHECK_EQUAL(got.body, std::to_string(i));
    CAF_CHECK_EQUAL(got.field("connection"), "");
  }
}

CAF_TEST(pipelined requests are answered in order) {
  std::string all;
  for (int i = 0; i < 300; ++i)
    all += i % 3 == 0 ? text_of("GET", "/healthz") : text_of("POST", "/run/echo", std::to_string(i));
  CAF_REQUIRE(peer.send(all));
  for (int i = 0; i < 300; ++i)
    CAF_CHECK_EQUAL(peer.read().body, i % 3 == 0 ? R"({"status":"ok"})" : std::to_string(i));
}

CAF_TEST(a request may come in single bytes) {
  for (const char c : text_of("POST", "/run/echo", "[1,2]"))
    peer.send({&c, 1});
  CAF_CHECK_EQUAL(peer.read().body, "[1,2]");
}

CAF_TEST(a chunked body is an event like any other) {
  const auto got = peer.ask("POST /run/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\n[1,\r\n2\r\n2]\r\n0\r\nTrailer: x\r\n\r\n");
  CAF_CHECK_EQUAL(got.body, "[1,2]");
  CAF_CHECK_EQUAL(peer.ask(text_of("POST", "/run/echo", "3")).body, "3");
}

CAF_TEST(a client that expects it is told to continue) {
  CAF_REQUIRE(peer.send("POST /run/echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
  CAF_CHECK_EQUAL(peer.read().status, 100);
  CAF_CHECK_EQUAL(peer.ask("[1]").body, "[1]");
}

CAF_TEST(a client that would send too much is not told to continue) {
  const auto got =
    peer.ask("POST /run/echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 6291457\r\n\r\n");
  CAF_CHECK_EQUAL(got.status, 413);
  CAF_CHECK_EQUAL(got.field("connection"), "close");
  CAF_CHECK(peer.ended());
}

CAF_TEST(events up to 6 MiB pass and larger ones do not ) {
  const std::string event = "\"" + std::string(limits::payload_bytes_max - 2, 'x') + "\"";
  CAF_CHECK_EQUAL(peer.ask(text_of("POST", "/run/echo", event)).body.size(), event.size());
  peer.send(text_of("POST", "/run/echo", event + " "));
  const auto got = peer.read();
  CAF_CHECK_EQUAL(got.status, 413);
  CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
  CAF_CHECK(got.body.find("\"errorType\":\"RequestTooLargeException\"") != std::string::npos);
}

CAF_TEST(a client that sends too much in chunks can read why it was refused) {
  CAF_REQUIRE(peer.send("POST /run/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 120; ++i) // 7.5 MiB: the last ones are sent after the answer.
    CAF_REQUIRE(peer.send(chunk));
  CAF_CHECK_EQUAL(peer.read().status, 413);
  peer.finish();
  CAF_CHECK(peer.ended());
}

CAF_TEST(an oversized header is 431) {
  const auto got = peer.ask("GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  CAF_CHECK_EQUAL(got.status, 431);
  CAF_CHECK_EQUAL(got.field("connection"), "close");
}

CAF_TEST(nonsense is 400 and ends the connection) {
  const auto got = peer.ask("nonsense\r\n\r\n");
  CAF_CHECK_EQUAL(got.status, 400);
  CAF_CHECK_EQUAL(got.field("content-type"), "application/json");
  CAF_CHECK_EQUAL(got.field("connection"), "close");
  CAF_CHECK(got.body.find("malformed HTTP request") != std::string::npos);
  peer.finish();
  CAF_CHECK(peer.ended());
}

CAF_TEST(a smuggled request is not answered) {
  const auto got =
    peer.ask("POST /run/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
             "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  CAF_CHECK_EQUAL(got.status, 400);
  peer.finish();
  CAF_CHECK(peer.ended());
}

CAF_TEST(requests before a bad one are answered) {
  peer.send(text_of("POST", "/run/echo", "1") + "nonsense\r\n\r\n");
  CAF_CHECK_EQUAL(peer.read().body, "1");
  CAF_CHECK_EQUAL(peer.read().status, 400);
}

CAF_TEST(unknown paths and methods keep the connection when nothing is left unread) {
  CAF_CHECK_EQUAL(peer.ask(text_of("GET", "/nothing")).status, 404);
  const auto got = peer.ask(text_of("DELETE", "/run/echo"));
  CAF_CHECK_EQUAL(got.status, 405);
  CAF_CHECK_EQUAL(got.field("allow"), "POST, GET, HEAD, OPTIONS");
  CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
  CAF_CHECK_EQUAL(peer.ask(text_of("GET", "/run/%zz")).status, 400);
  CAF_CHECK_EQUAL(peer.ask(text_of("POST", "/run/echo", "1")).body, "1");
}

CAF_TEST(a request for nothing with a body ends the connection after its answer) {
  const auto got = peer.ask(text_of("POST", "/nothing", "body"));
  CAF_CHECK_EQUAL(got.status, 404);
  CAF_CHECK_EQUAL(got.field("connection"), "close");
}

CAF_TEST(a wish to end the connection is granted) {
  const auto got = peer.ask(text_of("POST", "/run/echo", "1", "Connection: close\r\n"));
  CAF_CHECK_EQUAL(got.body, "1");
  CAF_CHECK_EQUAL(got.field("connection"), "close");
  CAF_CHECK(peer.ended());
}

CAF_TEST(old clients are served as they know it) {
  const auto kept = peer.ask("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CAF_CHECK_EQUAL(kept.status, 200);
  CAF_CHECK_EQUAL(kept.field("connection"), "keep-alive");
  const auto last = peer.ask("GET /healthz HTTP/1.0\r\n\r\n");
  CAF_CHECK_EQUAL(last.field("connection"), "close");
  CAF_CHECK(peer.ended());
}

CAF_TEST(HEAD is GET without the body) {
  peer.send(text_of("HEAD", "/healthz"));
  const auto got = peer.read(true);
  CAF_CHECK_EQUAL(got.status, 200);
  CAF_CHECK_EQUAL(got.field("content-length"), "15");
  CAF_CHECK_EQUAL(peer.ask(text_of("GET", "/healthz")).body.size(), 15u);
}

CAF_TEST(browsers get their preflight answered by the node) {
  const auto got =
    peer.ask(text_of("OPTIONS", "/run/absent", "", "Origin: http://x\r\nAccess-Control-Request-Method: POST\r\n"));
  CAF_CHECK_EQUAL(got.status, 204);
  CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
  CAF_CHECK(got.field("access-control-allow-methods").find("POST") != std::string::npos);
  CAF_CHECK(got.field("access-control-allow-headers").find("Content-Type") != std::string::npos);
  CAF_CHECK(got.field("access-control-allow-headers").find("Authorization") != std::string::npos);
  CAF_CHECK(got.text_of_head.find("Content-Length") == std::string::npos);
}

CAF_TEST(a client that stops sending still gets its answer) {
  peer.send(text_of("POST", "/run/echo", "1"));
  peer.finish();
  CAF_CHECK_EQUAL(peer.read().body, "1");
  CAF_CHECK(peer.ended());
}

CAF_TEST(a client that goes in the middle of everything leaves nothing behind) {
  for (const auto& part : {std::string{"POST /run"}, std::string{"POST /run/echo HTTP/1.1\r\nContent-Le"},
                           text_of("POST", "/run/echo", "12345").substr(0, 60), text_of("POST", "/run/hold", "1")})
    client{node.port()}.send(part);
  CAF_CHECK_EQUAL(peer.ask(text_of("POST", "/run/echo", "1")).body, "1");
}

CAF_TEST(a client that does not read is waited for and then served) {
  const std::string event(limits::payload_bytes_max, '7'); // More than the socket's buffers take.
  peer.send(text_of("POST", "/run/echo", event));
  client other{node.port()};
  CAF_CHECK_EQUAL(other.ask(text_of("POST", "/run/echo", "1")).body, "1");
  CAF_CHECK_EQUAL(peer.read().body.size(), event.size());
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST_FIXTURE_SCOPE(slow_client_tests, hasty)

CAF_TEST(a slow header is 408) {
  const auto got = peer.ask("GET /healthz HTT");
  CAF_CHECK_EQUAL(got.status, 408);
  CAF_CHECK_EQUAL(got.field("connection"), "close");
  CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
}

CAF_TEST(a slow body is 408) {
  const auto got = peer.ask("POST /run/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12");
  CAF_CHECK_EQUAL(got.status, 408);
  CAF_CHECK(got.body.find("RequestTimeoutException") != std::string::npos);
}

CAF_TEST(an idle connection is closed without a word) {
  CAF_CHECK_EQUAL(peer.ask(text_of("GET", "/healthz")).status, 200);
  CAF_CHECK(peer.ended());
}

CAF_TEST(a client that never reads is given up) {
  peer.send(text_of("POST", "/run/echo", std::string(limits::payload_bytes_max, '7')));
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  const auto open = [this] {
    return node.on_io<uint64_t>([this]() -> http::task<uint64_t> { co_return node.context.counts->connections_open; });
  };
  while (open() > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CAF_CHECK_EQUAL(open(), 0u);
}

CAF_TEST(a function may take longer than a client) {
  std::thread later{[this] {
    client{node.port()}.ask("GET /slow"); // Its own time-out is what is waited for.
    caf::anon_send(node.gate.actors().balancer, atom::remove{}, std::string{}, std::string{});
  }};
  CAF_CHECK_EQUAL(peer.ask(text_of("POST", "/run/hold", "1")).body, "\"late\"");
  later.join();
}

CAF_TEST_FIXTURE_SCOPE_END()
