#define CAF_SUITE handlers.egress

#include "handlers/sandbox/egress.hpp"

#include "egress_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <fstream>
#include <thread>
#include <vector>

#include <sys/wait.h>

using namespace egress_bed;

namespace {

struct fixture : machine {
  /// Whether the test can be run.
  bool ready() const {
    if (!missing.empty())
      CAF_MESSAGE("skipped: " << missing);
    return missing.empty();
  }

  std::string refusal() const {
    const auto made = egress_network::make(settings);
    return made ? "" : troupe::what_of(made.error());
  }

  static void check_reaches_out(const plugged& sandbox, const unique_fd& site) {
    CAF_CHECK_EQUAL(try_from(sandbox.space, "203.0.113.10"), 0);
    CAF_CHECK_EQUAL(visitor_of(site), "203.0.113.1");
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(egress_tests, fixture)

CAF_TEST(a sandbox reaches the internet by the address of the machine) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  CAF_CHECK(sandbox.interface.size() <= 15);
  const auto site = server(internet, "203.0.113.10");
  const auto client = make_socket(sandbox.space, SOCK_STREAM);
  CAF_REQUIRE_EQUAL(connect_to(client, "203.0.113.10"), 0);
  unique_fd connection;
  CAF_CHECK_EQUAL(visitor_of(site, &connection), "203.0.113.1");
  CAF_CHECK_EQUAL(::write(connection.get(), "hello", 5), 5);
  CAF_CHECK_EQUAL(receive(client), "hello");
  CAF_CHECK_EQUAL(::write(client.get(), "you", 3), 3);
  CAF_CHECK_EQUAL(receive(connection), "you");
}

CAF_TEST(answers to datagrams arrive) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  const auto site = bound(internet, SOCK_DGRAM, "203.0.113.10", 53);
  const auto client = bound(sandbox.space, SOCK_DGRAM, "0.0.0.0", 0);
  CAF_CHECK(send_to(client, "question", "203.0.113.10", 53));
  sockaddr_in asker{};
  CAF_CHECK_EQUAL(receive(site, &asker), "question");
  CAF_CHECK(with(asker, [&](auto... where) { return ::sendto(site.get(), "answer", 6, 0, where...) == 6 ? 0 : -1; }));
  CAF_CHECK_EQUAL(receive(client), "answer");
}

CAF_TEST(what a sandbox may not reach refuses at once and hears nothing) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  const plugged other{*net};
  const auto here = present_namespace();
  struct target {
    std::string address;
    const unique_fd& space;
  };
  const target targets[] = {{"203.0.113.1", here},
                            {"198.51.100.7", here},
                            {"169.254.169.254", internet},
                            {"192.0.2.10", internet},
                            {other.address, other.space}};
  for (const auto& [address, space] : targets) {
    CAF_MESSAGE(address);
    const auto listening = server(space, address);
    const auto datagrams = bound(space, SOCK_DGRAM, address, 53);
    // It is there for those who may.
    CAF_CHECK_EQUAL(try_from(space, address), 0);
    CAF_CHECK_EQUAL(visitor_of(listening), address);
    CAF_CHECK_EQUAL(try_from(sandbox.space, address), ECONNREFUSED);
    CAF_CHECK_EQUAL(visitor_of(listening), "");
    const auto client = make_socket(sandbox.space, SOCK_DGRAM);
    CAF_CHECK_EQUAL(connect_to(client, address, 53), 0);
    CAF_CHECK_EQUAL(::write(client.get(), "x", 1), 1);
    CAF_CHECK_EQUAL(receive(client), std::strerror(EHOSTUNREACH));
    char byte = 0;
    CAF_CHECK_EQUAL(::recv(datagrams.get(), &byte, 1, 0), -1);
  }
  // Nobody is there; it makes no difference.
  for (const char* address : {"10.221.0.1", "10.221.255.254", "169.254.1.1", "240.0.0.1"})
    CAF_CHECK_EQUAL(try_from(sandbox.space, address), ECONNREFUSED);
}

CAF_TEST(a service that listens on all addresses of the machine is out of reach by each) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  const auto listening = server(present_namespace(), "0.0.0.0", 8080);
  for (const char* address : {"203.0.113.1", "198.51.100.7", "203.0.113.255", "10.221.0.1"}) {
    const int error = try_from(sandbox.space, address, 8080);
    CAF_MESSAGE(address);
    CAF_CHECK(error == ECONNREFUSED || error == EHOSTUNREACH);
  }
  CAF_CHECK_EQUAL(visitor_of(listening), "");
}

CAF_TEST(a datagram from another address than its own does not pass) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  const plugged victim{*net};
  const auto site = bound(internet, SOCK_DGRAM, "203.0.113.10", 53);
  for (const std::string& forged : {victim.address, std::string{"10.221.0.1"}, std::string{"203.0.113.77"}}) {
    in(sandbox.space, [&] { ip("address add " + forged + "/32 dev eth0"); });
    const auto liar = bound(sandbox.space, SOCK_DGRAM, forged, 0);
    CAF_CHECK(send_to(liar, "forged", "203.0.113.10", 53));
  }
  const auto honest = bound(sandbox.space, SOCK_DGRAM, sandbox.address, 0);
  CAF_CHECK(send_to(honest, "honest", "203.0.113.10", 53));
  CAF_CHECK_EQUAL(receive(site), "honest"); // the first that arrives
}

CAF_TEST(nothing new comes in) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  const auto open_door = bound(sandbox.space, SOCK_DGRAM, "0.0.0.0", 7);
  const auto listening = server(sandbox.space, "0.0.0.0");
  const auto stranger = bound(internet, SOCK_DGRAM, "203.0.113.10", 53);
  CAF_CHECK(send_to(stranger, "from outside", sandbox.address, 7));
  // The machine's own programs get that told.
  const auto neighbour = make_socket(present_namespace(), SOCK_DGRAM);
  CAF_CHECK(!send_to(neighbour, "from the machine", sandbox.address, 7));
  CAF_CHECK_EQUAL(errno, EPERM);
  // The first that arrives is an answer.
  CAF_CHECK(send_to(open_door, "question", "203.0.113.10", 53));
  sockaddr_in asker{};
  CAF_CHECK_EQUAL(receive(stranger, &asker), "question");
  CAF_CHECK(
    with(asker, [&](auto... where) { return ::sendto(stranger.get(), "answer", 6, 0, where...) == 6 ? 0 : -1; }));
  CAF_CHECK_EQUAL(receive(open_door), "answer");
  CAF_CHECK_EQUAL(try_from(sandbox.space, sandbox.address), 0);
  CAF_CHECK_EQUAL(visitor_of(listening), sandbox.address);
}

CAF_TEST(there is no IPv6 on either end) {
  if (!ready())
    return;
  const auto net = network();
  const plugged sandbox{*net};
  const auto addresses = [] { return troupe::handlers::read_small_file("/proc/net/if_inet6").value_or(""); };
  CAF_CHECK(addresses().find(sandbox.interface) == std::string::npos);
  CAF_CHECK(in(sandbox.space, addresses).find("eth0") == std::string::npos);
}

CAF_TEST(a sandbox cannot fill the table of connections that all share) {
  if (!ready())
    return;
  const auto net = network();
  const plugged greedy{*net};
  const plugged modest{*net};
  const auto site = server(internet, "203.0.113.10");
  const auto socket = make_socket(greedy.space, SOCK_DGRAM);
  constexpr uint16_t first = 10'000;
  for (uint16_t i = 0; i < 2 * troupe::limits::egress_connections_max; ++i)
    send_to(socket, "x", "203.0.113.10", first + i); // may fail with what an earlier one has met
  const auto count = troupe::handlers::read_small_file("/proc/sys/net/netfilter/nf_conntrack_count");
  CAF_CHECK(std::stoul(count.value_or("0")) >= troupe::limits::egress_connections_max / 2);
  CAF_CHECK(std::stoul(count.value_or("0")) <= troupe::limits::egress_connections_max + 10);
  CAF_CHECK_EQUAL(try_from(greedy.space, "203.0.113.10"), ECONNREFUSED);
  check_reaches_out(modest, site);
}

CAF_TEST(two nodes keep their sandboxes apart) {
  if (!ready())
    return;
  const auto net = network();
  settings.name = "troupe-other";
  settings.run_dir = directory + "/other";
  settings.range = *troupe::config::parse_ipv4_range("10.222.0.0/20");
  std::filesystem::create_directory(settings.run_dir);
  const auto other_net = network();
  const plugged sandbox{*net};
  const plugged other{*other_net};
  const auto site = server(internet, "203.0.113.10");
  check_reaches_out(sandbox, site);
  check_reaches_out(other, site);
  const auto door = bound(other.space, SOCK_DGRAM, "0.0.0.0", 53);
  const auto client = bound(sandbox.space, SOCK_DGRAM, "0.0.0.0", 0);
  CAF_CHECK(send_to(client, "from the other node", other.address, 53));
  const auto outside = bound(internet, SOCK_DGRAM, "203.0.113.10", 53);
  CAF_CHECK(send_to(door, "question", "203.0.113.10", 53));
  sockaddr_in asker{};
  CAF_CHECK_EQUAL(receive(outside, &asker), "question");
  CAF_CHECK(
    with(asker, [&](auto... where) { return ::sendto(outside.get(), "answer", 6, 0, where...) == 6 ? 0 : -1; }));
  CAF_CHECK_EQUAL(receive(door), "answer");
}

CAF_TEST(after the end nothing is left) {
  if (!ready())
    return;
  CAF_CHECK_EQUAL(forwarding(), "0");
  {
    const auto net = network();
    CAF_CHECK_EQUAL(forwarding(), "1");
    CAF_CHECK_EQUAL(tables(), "table inet troupe-test\n");
    {
      std::vector<plugged> sandboxes;
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 50; ++i)
        sandboxes.emplace_back(*net);
      const auto time = std::chrono::steady_clock::now() - start;
      CAF_MESSAGE("namespace and plug: " << time / 1us / 50 << " us each");
      CAF_CHECK_EQUAL(plugs(), 50);
    }
    // The kernel takes namespaces apart aside.
    for (const auto end = std::chrono::steady_clock::now() + 20s;
         plugs() > 0 && std::chrono::steady_clock::now() < end;)
      std::this_thread::yield();
    CAF_CHECK_EQUAL(plugs(), 0);
  }
  CAF_CHECK_EQUAL(tables(), "");
  CAF_CHECK_EQUAL(forwarding(), "0");
  CAF_CHECK(std::filesystem::is_empty(directory));
}

CAF_TEST(what a killed node left is removed) {
  if (!ready())
    return;
  const pid_t node = ::fork();
  if (node == 0) {
    const auto made = egress_network::make(settings);
    ::_exit(made ? 0 : 1); // without the object's end
  }
  int status = -1;
  ::waitpid(node, &status, 0);
  CAF_REQUIRE_EQUAL(status, 0);
  CAF_CHECK_EQUAL(tables(), "table inet troupe-test\n");
  CAF_CHECK_EQUAL(forwarding(), "1");
  egress_network::clear_left_overs(settings);
  CAF_CHECK_EQUAL(tables(), "");
  CAF_CHECK_EQUAL(forwarding(), "0");
  CAF_CHECK(std::filesystem::is_empty(directory));
}

CAF_TEST(a note from before the last start of the machine is no reason to change anything) {
  if (!ready())
    return;
  need(troupe::handlers::write_small_file("/proc/sys/net/ipv4/ip_forward", "1") == 0, "switch forwarding on");
  std::ofstream{directory + "/egress"} << "00000000-0000-0000-0000-000000000000\nIPv4 forwarding was off\n";
  egress_network::clear_left_overs(settings);
  CAF_CHECK_EQUAL(forwarding(), "1");
  CAF_CHECK(std::filesystem::is_empty(directory));
}

CAF_TEST(forwarding stays on when somebody else may need it) {
  if (!ready())
    return;
  auto net = network();
  CAF_REQUIRE(troupe::handlers::run_nft("table ip another\n"));
  net.reset();
  CAF_CHECK_EQUAL(forwarding(), "1");
  CAF_CHECK_EQUAL(tables(), "table ip another\n");
}

CAF_TEST(a range that the machine uses is refused) {
  if (!ready())
    return;
  ip("route add 10.221.7.0/24 dev lan");
  CAF_CHECK_EQUAL(refusal(), "worker.egress-range 10.221.0.0/16 overlaps the machine's route 10.221.7.0/24 dev lan: "
                             "choose a range that nothing here uses");
  CAF_CHECK_EQUAL(tables(), "");
  CAF_CHECK_EQUAL(forwarding(), "0");
  ip("route del 10.221.7.0/24 dev lan");
  CAF_CHECK_EQUAL(refusal(), "");
}

CAF_TEST(a plug that fails leaves nothing behind) {
  if (!ready())
    return;
  const auto net = network();
  const auto broken = new_namespace();
  in(broken, [] { ip("link add eth0 type veth peer name x"); });
  const auto refused = net->plug(broken.get());
  CAF_REQUIRE(!refused);
  CAF_CHECK_EQUAL(troupe::what_of(refused.error()), "make a veth pair: File exists");
  CAF_CHECK_EQUAL(plugs(), 0);
  const auto taken = new_namespace();
  in(taken, [] {
    ip("link add x type veth peer name y");
    ip("link set x up");
    ip("route add default dev x");
  });
  const auto second = net->plug(taken.get());
  CAF_REQUIRE(!second);
  CAF_CHECK_EQUAL(troupe::what_of(second.error()), "add the way out: File exists");
  CAF_CHECK_EQUAL(plugs(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
