#define CAF_SUITE http.server

#include "http/server.hpp"

#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using test::client;
using test::text_of;

namespace {

/// Begins a request whose body is one byte; once this returns, the server waits for that byte.
void begin(client& peer) {
  peer.send("POST /run/echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
  CAF_REQUIRE_EQUAL(peer.read().status, 100);
}

struct fixture {
  test::test_node node;

  /// Stops the server, as on SIGTERM, and says when it has.
  std::future<int> stop(std::chrono::milliseconds drain) {
    return node.start_on_io<int>([this, drain]() -> http::task<int> {
      co_await node.web->stop(drain);
      co_return 0;
    });
  }

  caf::error start_with(const config::http_settings& settings) {
    return node.on_io<caf::error>([this, settings]() -> http::task<caf::error> {
      server another{node.loop, settings, node.context};
      co_return another.start();
    });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(server_tests, fixture)

CAF_TEST(it listens and says where) {
  CAF_CHECK(!node.problem);
  CAF_CHECK(node.port() != 0);
  CAF_CHECK_EQUAL(node.context.origin, "http://127.0.0.1:" + std::to_string(node.port()));
  CAF_CHECK_EQUAL(node.ask("GET", "/healthz").status, 200);
}

CAF_TEST(a port in use is told in one line) {
  config::http_settings settings;
  settings.port = node.port();
  const auto problem = start_with(settings);
  CAF_CHECK(code_of(problem) == errc::already_running);
  CAF_CHECK_EQUAL(what_of(problem), "another process listens on 127.0.0.1:" + std::to_string(node.port()));
}

CAF_TEST(only loopback is listened on) {
  for (const char* address : {"0.0.0.0", "192.168.1.1", "::", "localhost", ""}) {
    config::http_settings settings;
    settings.address = address;
    CAF_CHECK(code_of(start_with(settings)) == errc::invalid_argument);
  }
}

CAF_TEST(a stop waits for what runs and closes what is idle) {
  client idle{node.port()};
  CAF_CHECK_EQUAL(idle.ask(text_of("GET", "/healthz")).status, 200);
  client busy{node.port()};
  begin(busy);
  auto stopped = stop(10s);
  CAF_CHECK(idle.ended());
  const auto got = busy.ask("1" + text_of("GET", "/healthz"));
  CAF_CHECK_EQUAL(got.body, "1");
  CAF_CHECK_EQUAL(got.field("connection"), "close");
  CAF_CHECK_EQUAL(busy.read().status, 0);
  stopped.get();
  CAF_CHECK_EQUAL(node.context.counts->connections_open, 0u);
  try {
    client late{node.port()};
    CAF_ERROR("a stopped server accepts connections");
  } catch (const std::runtime_error&) {
    CAF_MESSAGE("nobody listens any more");
  }
}

CAF_TEST(a node that is about to stop says so with each answer and goes on) {
  client kept{node.port()};
  CAF_CHECK_EQUAL(kept.ask(text_of("GET", "/readyz")).status, 200);
  node.on_io<int>([this]() -> http::task<int> {
    node.web->retire();
    co_return 0;
  });
  const auto unready = kept.ask(text_of("GET", "/readyz"));
  CAF_CHECK_EQUAL(unready.status, 503);
  CAF_CHECK_EQUAL(unready.field("connection"), "close");
  CAF_CHECK(kept.ended());
  const auto got = node.ask("POST", "/run/echo", "7");
  CAF_CHECK_EQUAL(got.body, "7");
  CAF_CHECK_EQUAL(got.field("connection"), "close");
}

CAF_TEST(whoever has connected before the end is answered) {
  // More than are accepted in one step: some are in the kernel's queue when the listener is to close.
  constexpr size_t count = 50;
  std::vector<std::unique_ptr<client>> clients;
  std::future<int> stopped;
  node.on_io<int>([&]() -> http::task<int> {
    // The io thread is here: nobody is accepted meanwhile.
    for (size_t i = 0; i < count; ++i)
      clients.push_back(std::make_unique<client>(node.port()));
    stopped = stop(10s);
    co_return 0;
  });
  size_t answered = 0;
  for (const auto& each : clients)
    answered += each->ask(text_of("POST", "/run/echo", "7")).body == "7" ? 1 : 0;
  CAF_CHECK_EQUAL(answered, count);
  stopped.get();
}

CAF_TEST(who has connected and does not ask is not waited for) {
  client silent{node.port()};
  stop(10s).get();
  CAF_CHECK(silent.ended());
}

CAF_TEST(a request that awaits the end is answered last) {
  client waiting{node.port()};
  begin(waiting);
  node.on_io<int>([this]() -> http::task<int> {
    node.context.awaiting_end = 1;
    co_await node.web->finish(10s);
    node.context.awaiting_end = 0;
    co_return 0;
  });
  auto stopped = stop(10s);
  CAF_CHECK_EQUAL(waiting.ask("1").body, "1");
  stopped.get();
}

CAF_TEST(a stop can be hurried) {
  client busy{node.port()};
  begin(busy);
  auto stopped = stop(10min);
  node.on_io<int>([this]() -> http::task<int> {
    node.web->hurry(1ms);
    co_return 0;
  });
  stopped.get();
  CAF_CHECK(busy.ended());
}

CAF_TEST(a stop does not wait for ever) {
  client busy{node.port()};
  begin(busy);
  stop(20ms).get();
  CAF_CHECK(busy.ended());
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(at the limit the longest idle connection makes room) {
  auto options = test::test_node::ready();
  options.http.connections_max = 2;
  test::test_node node{options};
  client busy{node.port()};
  begin(busy);
  client idle{node.port()};
  CAF_CHECK_EQUAL(idle.ask(text_of("GET", "/healthz")).status, 200);
  client third{node.port()};
  CAF_CHECK_EQUAL(third.ask(text_of("GET", "/healthz")).status, 200);
  CAF_CHECK(idle.ended());
  CAF_CHECK_EQUAL(busy.ask("1").body, "1");
}

CAF_TEST(at the limit without an idle connection the answer is 503) {
  auto options = test::test_node::ready();
  options.http.connections_max = 1;
  test::test_node node{options};
  client busy{node.port()};
  begin(busy);
  client other{node.port()};
  const auto got = other.read();
  CAF_CHECK_EQUAL(got.status, 503);
  CAF_CHECK_EQUAL(got.field("retry-after"), "1");
  CAF_CHECK_EQUAL(got.field("connection"), "close");
  CAF_CHECK_EQUAL(got.field("access-control-allow-origin"), "*");
  CAF_CHECK_EQUAL(busy.ask("1").body, "1");
}
