#define CAF_SUITE actors.door

#include "actors/cluster/door.hpp"

#include <caf/test/unit_test.hpp>

#include "cluster_bed.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <functional>

using namespace troupe;
using namespace troupe::cluster;
using namespace std::chrono_literals;
using test::cluster_bed;
using test::sample_hello;

namespace {

constexpr size_t much = 3 << 20; ///< bytes, more than the kernel keeps for anybody

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(door_tests, cluster_bed)

CAF_TEST(two nodes meet and know each other) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK_EQUAL(n2->last_line(), "no error");
  CAF_REQUIRE_EQUAL(n1->arrived.size(), 1u);
  CAF_REQUIRE_EQUAL(n2->arrived.size(), 1u);
  const auto& at_1 = n1->arrived.front();
  const auto& at_2 = n2->arrived.front();
  CAF_CHECK_EQUAL(at_1.who.name, "n2");
  CAF_CHECK_EQUAL(at_2.who.name, "n1");
  CAF_CHECK(at_1.who.roles.worker);
  CAF_CHECK_EQUAL(at_1.who.port, n2->entry->port());
  CAF_CHECK_EQUAL(at_1.address, "127.0.0.1");
  CAF_CHECK_EQUAL(at_2.port, n1->entry->port());
  CAF_CHECK(at_1.came == direction::accepted);
  CAF_CHECK(at_2.came == direction::dialled);
  CAF_CHECK_EQUAL(n1->asked.size(), 1u);
  CAF_CHECK_EQUAL(n2->asked.size(), 1u);
  const auto stats = n1->entry->stats();
  CAF_CHECK_EQUAL(stats.accepted, 1u);
  CAF_CHECK_EQUAL(stats.admitted, 1u);
  CAF_CHECK_EQUAL(stats.refused + stats.timed_out, 0u);
  CAF_CHECK_EQUAL(n2->entry->stats().dialling, 0u);
}

CAF_TEST(bytes go both ways in order and none is lost) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  n1->greeting = std::string(50'000, 'g') + "end";
  CAF_REQUIRE(meet(*n2, *n1));
  const int a = n1->arrived.at(0).socket.get();
  const int b = n2->arrived.at(0).socket.get();
  CAF_CHECK_EQUAL(receive(b, n1->greeting.size()), n1->greeting);
  CAF_CHECK(exchange(a, b, much));
  n1->arrived.clear();
  CAF_CHECK(ends(b));
}

CAF_TEST(what is handed over is ready for another owner) {
  const auto n1 = open({.mine = sample_hello("n1"), .stall_timeout = 1234ms});
  const auto n2 = open("n2");
  CAF_REQUIRE(meet(*n2, *n1));
  const int fd = n1->arrived.at(0).socket.get();
  CAF_CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  CAF_CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  int no_delay = 0;
  unsigned user_timeout = 0;
  socklen_t size = sizeof no_delay;
  CAF_CHECK_EQUAL(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
  CAF_CHECK_EQUAL(::getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, &size), 0);
  CAF_CHECK(no_delay != 0);
  CAF_CHECK_EQUAL(user_timeout, 1234u);
}

CAF_TEST(the node that dials waits for the first bytes of the other) {
  const auto n1 = open("n1");
  const auto n2 = open({.mine = sample_hello("n2"), .handshake_timeout = 100ms});
  n1->greeting.clear();
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK(contains(n2->last_line(), "did not complete the handshake within 100 ms"));
  CAF_CHECK(n2->arrived.empty());
  CAF_CHECK_EQUAL(n2->entry->stats().timed_out, 1u);
  CAF_REQUIRE_EQUAL(n1->arrived.size(), 1u);
  CAF_CHECK(ends(n1->arrived.front().socket.get()));
}

CAF_TEST(both sides learn why they do not fit) {
  struct row {
    std::function<void(hello&)> change; ///< of the one that dials
    std::string reason;
  };
  const auto first = sample_hello("n1");
  const std::vector<row> rows{
    {[](hello& x) { x.cluster = "d"; }, "n2 is of the cluster 'd' and n1 of 'c'"},
    {[](hello& x) { x.protocol = 3; }, "n2 (troupe 0.1.0) speaks version 3 of the cluster's protocol and n1"},
    {[](hello& x) { x.name = "n1"; }, "two nodes are called n1"},
    {[&first](hello& x) { x.id = first.id; }, "n2 and n1 have the same id"},
  };
  for (const auto& [change, reason] : rows) {
    auto second = sample_hello("n2");
    change(second);
    const auto n1 = open({.mine = first});
    const auto n2 = open({.mine = second});
    CAF_REQUIRE(meet(*n2, *n1));
    CAF_CHECK(contains(n2->last_line(), "127.0.0.1:" + std::to_string(n1->entry->port()) + " refuses: " + reason));
    CAF_CHECK(code_of(n2->dials.front()) == errc::conflict);
    const auto stats = n1->entry->stats();
    CAF_CHECK(contains(stats.last_failure, " is refused: " + reason));
    CAF_CHECK_EQUAL(stats.refused, 1u);
    CAF_CHECK(n1->arrived.empty());
    CAF_CHECK(n2->arrived.empty());
    CAF_CHECK(n1->asked.empty());
  }
}

CAF_TEST(a node that dials itself is told so) {
  const auto n1 = open("n1");
  CAF_REQUIRE(meet(*n1, *n1));
  CAF_CHECK(contains(n1->last_line(), "refuses: n1 has reached itself"));
}

CAF_TEST(an owner objects on the side that is dialled) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  n1->objection = refusal{.reason = "you are being dialled"};
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK(contains(n2->last_line(), "refuses: you are being dialled"));
  CAF_CHECK(contains(n1->entry->stats().last_failure, "is refused: you are being dialled"));
  CAF_CHECK_EQUAL(n1->asked.at(0).name, "n2");
  CAF_CHECK(n1->arrived.empty());
}

CAF_TEST(who is going to dial says so and that is no failure) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  n1->objection = refusal{frame_kind::later, "n1 is going to dial n2"};
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK(n2->last_end == dial_end::later);
  CAF_CHECK(contains(n2->last_line(), "refuses: n1 is going to dial n2"));
  for (const auto* each : {n1.get(), n2.get()}) {
    CAF_CHECK_EQUAL(each->entry->stats().later, 1u);
    CAF_CHECK_EQUAL(each->entry->stats().refused, 0u);
  }
  // A plain refusal in the same words is one.
  n1->objection = refusal{frame_kind::refusal, "n1 is going to dial n2"};
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK(n2->last_end == dial_end::failed);
  CAF_CHECK_EQUAL(n1->entry->stats().refused, 1u);
}

CAF_TEST(an owner objects on the side that dials) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  n2->objection = refusal{.reason = "a node of that name is already in the cluster"};
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK(contains(n2->last_line(), "is refused: a node of that name is already in the cluster"));
  CAF_CHECK(contains(n1->entry->stats().last_failure, "refuses: a node of that name is already in the cluster"));
  CAF_CHECK(n1->arrived.empty());
  CAF_CHECK(n2->arrived.empty());
}

CAF_TEST(a dial to where nobody listens says so) {
  const auto n1 = open("n1");
  uint16_t port = 0;
  {
    const test::listener gone;
    port = gone.port();
  }
  n1->call(port);
  CAF_CHECK(n1->dials.empty()); // Never from within the call.
  CAF_REQUIRE(run_until([&] { return !n1->dials.empty(); }));
  CAF_CHECK_EQUAL(n1->last_line(), "127.0.0.1:" + std::to_string(port) + " cannot be reached: Connection refused");
  CAF_CHECK(code_of(n1->dials.front()) == errc::unavailable);
  n1->call(port, "");
  CAF_REQUIRE(run_until([&] { return n1->dials.size() == 2; }));
  CAF_CHECK(contains(n1->last_line(), " cannot be reached: "));
}

CAF_TEST(a dial by name finds the address) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  n2->call(n1->entry->port(), "localhost");
  CAF_REQUIRE(run_until([&] { return !n2->dials.empty(); }));
  CAF_CHECK_EQUAL(n2->last_line(), "no error");
  CAF_CHECK_EQUAL(n2->arrived.at(0).address, "127.0.0.1");
}

CAF_TEST(a dial to a listener that never speaks ends in time) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 50ms});
  test::listener silent;
  n1->call(silent.port());
  CAF_REQUIRE(run_until([&] { return !n1->dials.empty(); }));
  CAF_CHECK(contains(n1->last_line(), " did not complete the handshake within 50 ms"));
  CAF_CHECK_EQUAL(n1->entry->stats().timed_out, 1u);
}

CAF_TEST(a dial that is not even answered ends in time) {
  const auto n1 = open({.mine = sample_hello("n1"), .handshake_timeout = 50ms});
  const test::listener full{0};
  // The kernel takes one connection for a backlog of 0, and then answers nobody.
  const test::stranger first{full.port()};
  n1->call(full.port());
  CAF_REQUIRE(run_until([&] { return !n1->dials.empty(); }));
  CAF_CHECK(contains(n1->last_line(), " cannot be reached within 50 ms"));
}

CAF_TEST(a dial to what is no node says so) {
  const auto n1 = open("n1");
  test::listener other;
  const std::vector<std::string> answers{"HTTP/1.1 400 Bad Request\r\n\r\n", "TRPE\x01\xff\xff", encode_welcome()};
  for (const auto& answer : answers) {
    n1->dials.clear();
    n1->call(other.port());
    unique_fd talk;
    CAF_REQUIRE(run_until([&] { return (talk = other.accept()).get() >= 0; }));
    CAF_CHECK(send(talk.get(), answer));
    CAF_REQUIRE(run_until([&] { return !n1->dials.empty(); }));
    CAF_CHECK(contains(n1->last_line(), " does not speak the cluster's protocol"));
  }
  n1->dials.clear();
  n1->call(other.port());
  CAF_REQUIRE(run_until([&] { return other.accept().get() >= 0; }));
  CAF_REQUIRE(run_until([&] { return !n1->dials.empty(); }));
  CAF_CHECK(contains(n1->last_line(), " hung up during the handshake"));
}

CAF_TEST(listening fails with one line) {
  const auto n1 = open("n1");
  auto made = door::make(io, {.mine = sample_hello("n2")}, {});
  CAF_REQUIRE(made);
  const auto taken = (*made)->listen("127.0.0.1", n1->entry->port());
  CAF_CHECK(code_of(taken) == errc::already_running);
  CAF_CHECK_EQUAL(what_of(taken), "another process listens on 127.0.0.1:" + std::to_string(n1->entry->port()));
  CAF_CHECK(code_of((*made)->listen("localhost", 0)) == errc::invalid_argument);
  CAF_CHECK(code_of((*made)->listen("192.0.2.1", 0)) == errc::io_error);
  CAF_CHECK_EQUAL((*made)->port(), 0u);
  CAF_CHECK(!(*made)->listen("127.0.0.1", 0));
  CAF_CHECK((*made)->port() != 0);
}

CAF_TEST(a door closes with handshakes and dials under way) {
  const auto first = open("n0"); // The io_context's own descriptors come with its first socket.
  const auto before = test::open_descriptors();
  {
    const auto n1 = open("n1");
    test::listener silent;
    const test::stranger waiting{n1->entry->port()};
    n1->call(silent.port());
    n1->call(silent.port(), "localhost");
    CAF_REQUIRE(run_until([&] { return n1->entry->stats().pending == 1 && silent.accept().get() >= 0; }));
    n1->call(silent.port()); // This one has not begun.
    n1->entry->close();
    CAF_CHECK(ends(waiting.fd()));
    n1->call(silent.port());
    n1->entry.reset();
    first->entry.reset();
    CAF_CHECK(run_until([&] { return io.stopped(); }));
    CAF_CHECK(n1->dials.empty());
  }
  CAF_CHECK_EQUAL(test::open_descriptors(), before - 1); // That of n0 is gone, too.
}

CAF_TEST(an owner may close the door from each of its calls) {
  for (const bool in_admit : {true, false}) {
    const auto n2 = open("n2");
    std::unique_ptr<door> entry;
    size_t arrived = 0;
    auto made = door::make(io, {.mine = sample_hello("n1")},
                           {[&](const hello&, const std::string&) {
                              if (in_admit)
                                entry.reset();
                              return std::nullopt;
                            },
                            [&](const peer&) {
                              ++arrived;
                              entry.reset();
                            }});
    CAF_REQUIRE(made);
    entry = std::move(*made);
    CAF_REQUIRE(!entry->listen("127.0.0.1", 0));
    n2->call(entry->port());
    CAF_REQUIRE(run_until([&] { return !n2->dials.empty(); }));
    CAF_CHECK(!entry);
    CAF_CHECK_EQUAL(arrived, in_admit ? 0u : 1u);
    CAF_CHECK(contains(n2->last_line(), " hung up during the handshake"));
  }
}

CAF_TEST(links outlive their doors) {
  const auto n1 = open("n1");
  const auto n2 = open("n2");
  CAF_REQUIRE(meet(*n2, *n1));
  n1->entry.reset();
  n2->entry.reset();
  CAF_CHECK_EQUAL(receive(n2->arrived.at(0).socket.get(), 5), "first");
  CAF_CHECK(exchange(n1->arrived.at(0).socket.get(), n2->arrived.at(0).socket.get(), 1000));
}

CAF_TEST_FIXTURE_SCOPE_END()
