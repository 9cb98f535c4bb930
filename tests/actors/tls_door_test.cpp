#define CAF_SUITE actors.tls_door

#include "actors/cluster/door.hpp"
#include "actors/cluster/handshake.hpp"

#include <caf/test/unit_test.hpp>

#include "certificates.hpp"
#include "cluster_bed.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <fstream>

using namespace troupe;
using namespace troupe::cluster;
using namespace std::chrono_literals;
using cluster::test::authority;
using cluster::test::cluster_bed;
using cluster::test::sample_hello;
using cluster::test::stranger;

namespace {

constexpr size_t much = 3 << 20; ///< bytes, more than all buffers on the way hold

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct fixture : cluster_bed {
  authority ca;

  std::unique_ptr<cluster::test::node> open_tls(const std::string& name, const tls_files& files) {
    return open({.mine = sample_hello(name), .tls = files});
  }
  std::unique_ptr<cluster::test::node> open_tls(const std::string& name) { return open_tls(name, ca.issue(name)); }

  /// Why the files cannot be used.
  static std::string fault(const tls_files& files) {
    const auto loaded = load_tls(files);
    return loaded ? "none" : what_of(loaded.error());
  }

  /// A client that has its own way with TLS, and goes through the handshake as it can.
  struct client {
    std::shared_ptr<channel> over;
    std::optional<caf::expected<hello>> met;
  };

  void shake(client& with, uint16_t port, boost::asio::ssl::context& tls) {
    tcp_socket socket{io};
    socket.connect({boost::asio::ip::address_v4::loopback(), port});
    with.over = channel::make(std::move(socket), &tls);
    const auto run = [](client& self) -> task<void> {
      // Named first: g++ 12 destroys such an argument of an awaited call twice.
      const handshake terms{direction::dialled, sample_hello("n2"), {}};
      auto met = co_await shake_hands(self.over, terms);
      if (!met)
        self.over->close();
      self.met.emplace(std::move(met));
    };
    boost::asio::co_spawn(io, run(with), boost::asio::detached);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tls_door_tests, fixture)

CAF_TEST(two nodes meet over TLS) {
  const auto n1 = open_tls("n1");
  const auto n2 = open_tls("n2");
  n1->greeting = std::string(50'000, 'g') + "end";
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK_EQUAL(n2->last_line(), "no error");
  CAF_CHECK_EQUAL(n1->arrived.at(0).who.name, "n2");
  CAF_CHECK_EQUAL(n1->arrived.at(0).address, "127.0.0.1");
  const int a = n1->arrived.at(0).socket.get();
  const int b = n2->arrived.at(0).socket.get();
  CAF_CHECK_EQUAL(receive(b, n1->greeting.size()), n1->greeting);
  CAF_CHECK(exchange(a, b, much));
}

CAF_TEST(either side ends the link and nothing is left) {
  const auto n1 = open_tls("n1");
  const auto n2 = open_tls("n2");
  const auto before = cluster::test::open_descriptors();
  for (const bool dialling_side : {true, false}) {
    CAF_REQUIRE(meet(*n2, *n1));
    auto& ending = dialling_side ? *n2 : *n1;
    auto& other = dialling_side ? *n1 : *n2;
    CAF_CHECK(send(ending.arrived.at(0).socket.get(), "last words"));
    ending.arrived.clear();
    const auto words = receive(other.arrived.at(0).socket.get(), dialling_side ? 10 : 15);
    CAF_CHECK_EQUAL(words, dialling_side ? "last words" : "firstlast words");
    CAF_CHECK(ends(other.arrived.at(0).socket.get()));
    other.arrived.clear();
    CAF_CHECK(run_until([&] { return cluster::test::open_descriptors() == before; }));
  }
}

CAF_TEST(links outlive their doors and end with the io context) {
  const auto before = cluster::test::open_descriptors();
  {
    cluster_bed other;
    const auto n1 = other.open({.mine = sample_hello("n1"), .tls = ca.issue("n1")});
    const auto n2 = other.open({.mine = sample_hello("n2"), .tls = ca.issue("n2")});
    CAF_REQUIRE(other.meet(*n2, *n1));
    const stranger waiting{n1->entry->port()};
    n1->entry.reset();
    n2->entry.reset();
    CAF_CHECK_EQUAL(other.receive(n2->arrived.at(0).socket.get(), 5), "first");
    CAF_CHECK(other.exchange(n1->arrived.at(0).socket.get(), n2->arrived.at(0).socket.get(), 1000));
  }
  CAF_CHECK_EQUAL(cluster::test::open_descriptors(), before);
}

CAF_TEST(a certificate has to be for the node) {
  const auto n1 = open_tls("n1");
  const auto n2 = open_tls("n2", ca.issue("n3"));
  const std::string reason = "the certificate of n2 is for 'n3': give n2 one whose common name is n2";
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK(contains(n2->last_line(), "refuses: " + reason));
  CAF_CHECK(contains(n1->entry->stats().last_failure, "is refused: " + reason));
  n1->call(n2->entry->port());
  CAF_REQUIRE(run_until([&] { return !n1->dials.empty() && n2->entry->stats().pending == 0; }));
  CAF_CHECK(contains(n1->last_line(), "is refused: " + reason));
  CAF_CHECK(contains(n2->entry->stats().last_failure, "refuses: " + reason));
  CAF_CHECK(n1->arrived.empty());
  CAF_CHECK(n2->arrived.empty());
}

CAF_TEST(a DNS name counts where there is no common name) {
  const auto n1 = open_tls("n1", ca.issue("", "n1"));
  const auto n2 = open_tls("n2", ca.issue("n2", "other"));
  CAF_REQUIRE(meet(*n2, *n1));
  CAF_CHECK_EQUAL(n2->last_line(), "no error");
}

CAF_TEST(a certificate of another CA is refused on either side) {
  authority foreign{"foreign CA"};
  const auto n1 = open_tls("n1");
  auto files = foreign.issue("n2");
  const auto foreigner = open_tls("n2", files);
  CAF_REQUIRE(meet(*foreigner, *n1));
  CAF_CHECK(contains(foreigner->last_line(), " has no certificate of this cluster: "));
  CAF_CHECK(code_of(foreigner->dials.front()) == errc::conflict);
  CAF_CHECK(contains(n1->entry->stats().last_failure, " does not take this node's certificate: "));
  // One that trusts both and has the foreign certificate passes its own look at the other, and no further.
  files.ca = ca.path("ca.pem");
  const auto credulous = open_tls("n3", files);
  CAF_REQUIRE(meet(*credulous, *n1));
  CAF_CHECK(contains(credulous->last_line(), " does not take this node's certificate: "));
  CAF_CHECK(contains(n1->entry->stats().last_failure, " has no certificate of this cluster: "));
  CAF_CHECK(n1->arrived.empty());
}

CAF_TEST(without a certificate nobody comes in) {
  const auto n1 = open_tls("n1");
  boost::asio::ssl::context bare{boost::asio::ssl::context::tls_client};
  client nobody;
  shake(nobody, n1->entry->port(), bare);
  CAF_REQUIRE(run_until([&] { return nobody.met.has_value() && n1->entry->stats().refused == 1; }));
  CAF_CHECK(!*nobody.met);
  CAF_CHECK(contains(what_of(nobody.met->error()), "does not take this node's certificate: "));
  CAF_CHECK(contains(n1->entry->stats().last_failure, " shows no certificate"));
  CAF_CHECK(n1->arrived.empty());
}

CAF_TEST(earlier versions of TLS are not spoken) {
  const auto n1 = open_tls("n1");
  const auto loaded = load_tls(ca.issue("n2"));
  CAF_REQUIRE(loaded);
  SSL_CTX_set_min_proto_version((*loaded)->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version((*loaded)->native_handle(), TLS1_2_VERSION);
  client old;
  shake(old, n1->entry->port(), **loaded);
  CAF_REQUIRE(run_until([&] { return old.met.has_value() && n1->entry->stats().refused == 1; }));
  CAF_CHECK(!*old.met);
  CAF_CHECK(contains(n1->entry->stats().last_failure, " does not speak TLS 1.3 as nodes do: "));
}

CAF_TEST(TLS on one side only is told) {
  const auto secured = open_tls("n1");
  const auto open_one = open("n2");
  CAF_REQUIRE(meet(*open_one, *secured));
  CAF_CHECK(contains(open_one->last_line(), ": is TLS on with both nodes or with none?"));
  CAF_CHECK(contains(secured->entry->stats().last_failure, " does not speak TLS 1.3 as nodes do: "));
  secured->call(open_one->entry->port());
  CAF_REQUIRE(run_until([&] { return !secured->dials.empty(); }));
  CAF_CHECK(contains(secured->last_line(), ": is TLS on with both nodes or with none?"));
  CAF_CHECK(secured->arrived.empty());
  CAF_CHECK(contains(open_one->entry->stats().last_failure, "is TLS on with both or with none?"));
}

CAF_TEST(silence and garbage end a TLS handshake) {
  const auto n1 = open({.mine = sample_hello("n1"), .tls = ca.issue("n1"), .handshake_timeout = 50ms});
  const auto before = cluster::test::open_descriptors();
  {
    const stranger silent{n1->entry->port()};
    CAF_CHECK(ends(silent.fd()));
    CAF_CHECK(run_until([&] { return n1->entry->stats().timed_out == 1; }));
    const stranger noisy{n1->entry->port()};
    send(noisy.fd(), std::string(100'000, 'x'));
    CAF_CHECK(ends(noisy.fd()));
  }
  CAF_CHECK(run_until([&] { return n1->entry->stats().pending == 0; }));
  CAF_CHECK_EQUAL(n1->entry->stats().refused, 1u);
  CAF_CHECK_EQUAL(cluster::test::open_descriptors(), before);
}

CAF_TEST(a link whose other side takes nothing ends) {
  const auto n1 = open({.mine = sample_hello("n1"), .tls = ca.issue("n1"), .stall_timeout = 100ms});
  const auto loaded = load_tls(ca.issue("n2"));
  CAF_REQUIRE(loaded);
  client frozen;
  shake(frozen, n1->entry->port(), **loaded);
  CAF_REQUIRE(run_until([&] { return !n1->arrived.empty() && frozen.met.has_value(); }));
  const int link = n1->arrived.front().socket.get();
  // It never reads: once all buffers are full, nothing moves any more.
  CAF_CHECK(run_until([&] {
    const std::string some(100'000, 'x');
    return ::send(link, some.data(), some.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
  }));
}

CAF_TEST(a link whose node takes nothing ends) {
  const auto n1 = open({.mine = sample_hello("n1"), .tls = ca.issue("n1"), .stall_timeout = 100ms});
  const auto n2 = open({.mine = sample_hello("n2"), .tls = ca.issue("n2"), .stall_timeout = 1h});
  CAF_REQUIRE(meet(*n2, *n1));
  const int writing = n2->arrived.at(0).socket.get();
  CAF_CHECK(run_until([&] {
    const std::string some(100'000, 'x');
    return ::send(writing, some.data(), some.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
  }));
}

CAF_TEST(a link that is idle or read late does not end) {
  const auto n1 = open({.mine = sample_hello("n1"), .tls = ca.issue("n1"), .stall_timeout = 50ms});
  const auto n2 = open({.mine = sample_hello("n2"), .tls = ca.issue("n2"), .stall_timeout = 50ms});
  CAF_REQUIRE(meet(*n2, *n1));
  const auto end = std::chrono::steady_clock::now() + 200ms;
  CAF_REQUIRE(run_until([&] { return std::chrono::steady_clock::now() > end; }));
  CAF_CHECK_EQUAL(receive(n2->arrived.at(0).socket.get(), 5), "first");
  CAF_CHECK(exchange(n1->arrived.at(0).socket.get(), n2->arrived.at(0).socket.get(), 1000));
}

CAF_TEST(files that cannot be used are named) {
  const auto good = ca.issue("n1");
  const auto other = ca.issue("n2");
  const auto empty = ca.path("empty");
  const auto text = ca.path("text");
  std::ofstream{empty};
  std::ofstream{text} << "no certificate\n";
  CAF_CHECK_EQUAL(fault(good), "none");
  CAF_CHECK_EQUAL(fault({"/nowhere/n.pem", good.key, good.ca}),
                  "cannot read the cluster's certificate '/nowhere/n.pem': No such file or directory");
  CAF_CHECK_EQUAL(fault({good.certificate, "/nowhere/n.key", good.ca}),
                  "cannot read the cluster's key '/nowhere/n.key': No such file or directory");
  CAF_CHECK_EQUAL(fault({good.certificate, good.key, ""}),
                  "cannot read the cluster's CA '': No such file or directory");
  CAF_CHECK_EQUAL(fault({empty, good.key, good.ca}),
                  "cannot read the cluster's certificate '" + empty + "': it is empty");
  CAF_CHECK_EQUAL(fault({ca.path("."), good.key, good.ca}),
                  "cannot read the cluster's certificate '" + ca.path(".") + "': Is a directory");
  CAF_CHECK_EQUAL(fault({text, good.key, good.ca}), "the cluster's certificate '" + text + "' is none in PEM");
  CAF_CHECK_EQUAL(fault({good.certificate, text, good.ca}),
                  "the cluster's key '" + text + "' is no private key in PEM without a password");
  CAF_CHECK_EQUAL(fault({good.certificate, good.key, text}),
                  "the cluster's CA '" + text + "' is no certificate in PEM");
  CAF_CHECK_EQUAL(fault({good.certificate, other.key, good.ca}),
                  "the key '" + other.key + "' does not belong to the certificate '" + good.certificate + "'");
}

CAF_TEST_FIXTURE_SCOPE_END()
