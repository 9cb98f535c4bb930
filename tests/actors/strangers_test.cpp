#define CAF_SUITE actors.strangers

#include "actors/cluster/door.hpp"

#include <caf/test/unit_test.hpp>

#include "cluster_bed.hpp"

#include <sys/resource.h>

using namespace troupe;
using namespace troupe::cluster;
using namespace std::chrono_literals;
using test::cluster_bed;
using test::sample_hello;
using test::stranger;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct fixture : cluster_bed {
  /// After each of these a node comes in as if nothing had been, and nothing is left.
  void check_unharmed(test::node& n1) {
    CAF_CHECK(run_until([&] { return n1.entry->stats().pending == 0; }));
    const auto n2 = open("n2");
    CAF_CHECK(meet(*n2, n1));
    CAF_CHECK_EQUAL(n2->last_line(), "no error");
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(strangers_tests, fixture)

CAF_TEST(who never speaks is hung up on) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 50ms});
  const stranger silent{n1->entry->port()};
  CAF_CHECK(ends(silent.fd()));
  CAF_CHECK(run_until([&] { return n1->entry->stats().timed_out == 1; }));
  CAF_CHECK(contains(n1->entry->stats().last_failure, " did not complete the handshake within 50 ms"));
  check_unharmed(*n1);
}

CAF_TEST(the time is for the whole handshake) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 100ms});
  const stranger slow{n1->entry->port()};
  const auto frame = encode_frame(sample_hello("n2"));
  // A byte each time the loop comes round: some progress at any moment, and never an end.
  size_t sent = 0;
  CAF_CHECK(run_until([&] {
    if (sent < frame.size() - 1)
      sent += ::send(slow.fd(), &frame[sent], 1, MSG_NOSIGNAL) == 1 ? 1 : 0;
    return n1->entry->stats().timed_out == 1;
  }));
  CAF_CHECK(sent > 1);
  check_unharmed(*n1);
}

CAF_TEST(who does not take the answer is hung up on) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 100ms});
  const stranger half{n1->entry->port()};
  CAF_REQUIRE(send(half.fd(), encode_frame(sample_hello("n2"))));
  CAF_CHECK(run_until([&] { return n1->entry->stats().timed_out == 1; }));
  auto other = sample_hello("n2");
  other.cluster = "d";
  const stranger refused{n1->entry->port()};
  CAF_REQUIRE(send(refused.fd(), encode_frame(other)));
  CAF_CHECK(run_until([&] { return n1->entry->stats().refused == 1; })); // And it need not have been waited for.
  CAF_CHECK(n1->arrived.empty());
  check_unharmed(*n1);
}

CAF_TEST(garbage and frames over their bound end the connection) {
  const auto n1 = open("n1");
  const auto hello_frame = encode_frame(sample_hello("n2"));
  const std::vector<std::string> inputs{
    "GET / HTTP/1.1\r\n\r\n",
    std::string(100'000, '\0'),
    std::string{"TRPE\x01\xff\xff", 7} + std::string(65'535, 'x'),
    std::string{"TRPE\x01\x03\x00", 7} + "abc",
    std::string{"TRPE\x02\x00\x00", 7},
    std::string{"TRPE\x01\x00\x00", 7},
    hello_frame + hello_frame,
    hello_frame + "garbage",
  };
  uint64_t refused = 0;
  for (const auto& input : inputs) {
    const stranger client{n1->entry->port()};
    send(client.fd(), input); // It may be cut off in the middle.
    CAF_CHECK(ends(client.fd()));
    CAF_CHECK(run_until([&] { return n1->entry->stats().refused == refused + 1; }));
    refused = n1->entry->stats().refused;
    CAF_CHECK(contains(n1->entry->stats().last_failure, "does not speak the cluster's protocol"));
  }
  CAF_CHECK(n1->arrived.empty());
  check_unharmed(*n1);
}

CAF_TEST(who hangs up in the middle leaves nothing) {
  const auto n1 = open("n1");
  const auto frame = encode_frame(sample_hello("n2"));
  const auto before = test::open_descriptors();
  uint64_t refused = 0;
  for (const size_t bytes : {size_t{0}, size_t{3}, frame_prefix_bytes, frame.size() - 1, frame.size()}) {
    stranger client{n1->entry->port()};
    CAF_REQUIRE(send(client.fd(), std::string_view{frame}.substr(0, bytes)));
    client.hang_up();
    ++refused;
    CAF_CHECK(run_until([&] { return n1->entry->stats().refused == refused; }));
    CAF_CHECK(contains(n1->entry->stats().last_failure, " hung up during the handshake"));
  }
  CAF_CHECK_EQUAL(n1->entry->stats().pending, 0u);
  CAF_CHECK_EQUAL(test::open_descriptors(), before);
  check_unharmed(*n1);
}

CAF_TEST(there is a bound on handshakes) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 5s, .pending_max = 3});
  std::vector<std::unique_ptr<stranger>> waiting;
  for (int i = 0; i < 3; ++i)
    waiting.push_back(std::make_unique<stranger>(n1->entry->port()));
  CAF_REQUIRE(run_until([&] { return n1->entry->stats().pending == 3; }));
  const stranger fourth{n1->entry->port()};
  CAF_CHECK(ends(fourth.fd()));
  const auto stats = n1->entry->stats();
  CAF_CHECK_EQUAL(stats.pending, 3u);
  CAF_CHECK_EQUAL(stats.accepted, 4u);
  CAF_CHECK_EQUAL(stats.refused, 1u);
  CAF_CHECK(contains(stats.last_failure, " finds the door crowded with others that are in the handshake"));
  waiting.clear();
  check_unharmed(*n1);
}

CAF_TEST(an address cannot take all the places) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 5s, .pending_per_address_max = 2});
  constexpr uint32_t elsewhere = INADDR_LOOPBACK + 1;
  stranger first{n1->entry->port(), elsewhere};
  const stranger second{n1->entry->port(), elsewhere};
  CAF_REQUIRE(run_until([&] { return n1->entry->stats().pending == 2; }));
  const stranger third{n1->entry->port(), elsewhere};
  CAF_CHECK(ends(third.fd()));
  CAF_CHECK(contains(n1->entry->stats().last_failure, " from the same address"));
  CAF_CHECK_EQUAL(n1->entry->stats().pending, 2u);
  const auto n2 = open("n2");
  n2->call(n1->entry->port());
  CAF_REQUIRE(run_until([&] { return !n2->dials.empty(); }));
  CAF_CHECK_EQUAL(n2->last_line(), "no error");
  first.hang_up();
  CAF_REQUIRE(run_until([&] { return n1->entry->stats().pending == 1; }));
  const stranger fourth{n1->entry->port(), elsewhere};
  CAF_CHECK(run_until([&] { return n1->entry->stats().pending == 2; }));
}

CAF_TEST(without descriptors the door rests and goes on later) {
  const auto n1 = open("n1");
  const stranger client{n1->entry->port()};
  rlimit usual{};
  CAF_REQUIRE_EQUAL(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  const int next = ::dup(client.fd());
  ::close(next);
  const rlimit none{static_cast<rlim_t>(next), usual.rlim_max};
  CAF_REQUIRE_EQUAL(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto begin = std::chrono::steady_clock::now();
  const bool failed = run_until([&] { return n1->entry->stats().accept_failed >= 3; });
  const auto took = std::chrono::steady_clock::now() - begin;
  CAF_REQUIRE_EQUAL(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  CAF_CHECK(failed);
  CAF_CHECK(took >= 200ms); // Three attempts with two rests: it did not spin.
  CAF_CHECK(run_until([&] { return n1->entry->stats().pending == 1; }));
  const auto n2 = open("n2");
  n2->call(n1->entry->port());
  CAF_REQUIRE(run_until([&] { return !n2->dials.empty(); }));
  CAF_CHECK_EQUAL(n2->last_line(), "no error");
}

CAF_TEST(many strangers leave no descriptor) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 50ms});
  const auto before = test::open_descriptors();
  for (int i = 0; i < 100; ++i) {
    const stranger client{n1->entry->port()};
    if (i % 3 == 0)
      send(client.fd(), "nonsense");
    if (i % 3 == 1)
      send(client.fd(), encode_frame(sample_hello("n2")));
    io.restart();
    io.poll();
  }
  CAF_CHECK(run_until([&] { return n1->entry->stats().accepted == 100 && n1->entry->stats().pending == 0; }));
  const auto stats = n1->entry->stats();
  CAF_CHECK_EQUAL(stats.refused + stats.timed_out, 100u);
  CAF_CHECK_EQUAL(test::open_descriptors(), before);
  check_unharmed(*n1);
}

CAF_TEST_FIXTURE_SCOPE_END()
