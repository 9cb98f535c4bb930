#pragma once

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/egress.hpp"
#include "handlers/sandbox/nft.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

/// A machine with an internet, all in network namespaces of the test's own: the machine that the tests run on keeps its
/// network as it is. Sockets stay in the namespace that they were made in, so one thread plays every part.
namespace egress_bed {

using namespace std::chrono_literals;
using troupe::unique_fd;
using troupe::handlers::egress_network;
using troupe::handlers::egress_settings;

inline void need(bool true_here, const std::string& what) {
  if (!true_here)
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

inline unique_fd present_namespace() {
  unique_fd result{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  need(bool{result}, "open the network namespace");
  return result;
}

inline void enter(const unique_fd& space) {
  need(::setns(space.get(), CLONE_NEWNET) == 0, "enter a network namespace");
}

/// Does something in a namespace.
template <class F>
auto in(const unique_fd& space, F what) {
  struct visit {
    unique_fd home = present_namespace();
    ~visit() { enter(home); }
  } present;
  enter(space);
  return what();
}

/// Runs iproute2.
inline void ip(const std::string& arguments) {
  need(std::system(("ip " + arguments).c_str()) == 0, "ip " + arguments);
}

inline void wait_until_up(const std::string& interface) {
  auto kernel = troupe::handlers::netlink_socket::open();
  need(kernel && kernel->wait_until_up(kernel->index_of(interface)) == 0, "wait for " + interface);
}

inline unique_fd new_namespace() {
  const unique_fd home = present_namespace();
  need(::unshare(CLONE_NEWNET) == 0, "make a network namespace");
  unique_fd result = present_namespace();
  ip("link set lo up");
  enter(home);
  return result;
}

inline sockaddr_in endpoint(const std::string& address, uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  need(::inet_pton(AF_INET, address.c_str(), &result.sin_addr) == 1, address);
  return result;
}

template <class F>
bool with(const sockaddr_in& address, F call) {
  return call(reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address}) == 0;
}

inline unique_fd make_socket(const unique_fd& space, int type) {
  return in(space, [type] { return unique_fd{::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)}; });
}

inline unique_fd bound(const unique_fd& space, int type, const std::string& address, uint16_t port) {
  unique_fd result = make_socket(space, type);
  need(with(endpoint(address, port), [&](auto... where) { return ::bind(result.get(), where...); }), "bind " + address);
  return result;
}

inline unique_fd server(const unique_fd& space, const std::string& address, uint16_t port = 80) {
  unique_fd result = bound(space, SOCK_STREAM, address, port);
  need(::listen(result.get(), 16) == 0, "listen");
  return result;
}

/// A connection, or what became of it: errno, ETIMEDOUT after two seconds of silence.
inline int connect_to(const unique_fd& socket, const std::string& address, uint16_t port = 80) {
  if (with(endpoint(address, port), [&](auto... where) { return ::connect(socket.get(), where...); }))
    return 0;
  if (errno != EINPROGRESS)
    return errno;
  pollfd entry{socket.get(), POLLOUT, 0};
  if (::poll(&entry, 1, 2000) != 1)
    return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  need(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0, "ask a socket");
  return error;
}

inline int try_from(const unique_fd& space, const std::string& address, uint16_t port = 80) {
  return connect_to(make_socket(space, SOCK_STREAM), address, port);
}

/// Who has connected; "" when nobody has.
inline std::string visitor_of(const unique_fd& listening, unique_fd* connection = nullptr) {
  sockaddr_in from{};
  socklen_t size = sizeof from;
  unique_fd accepted{::accept4(listening.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC)};
  if (!accepted)
    return {};
  if (connection != nullptr)
    *connection = std::move(accepted);
  char text[INET_ADDRSTRLEN] = {};
  return ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
}

inline bool send_to(const unique_fd& socket, const std::string& text, const std::string& address, uint16_t port) {
  return with(endpoint(address, port), [&](auto... where) {
    return ::sendto(socket.get(), text.data(), text.size(), 0, where...) == static_cast<ssize_t>(text.size()) ? 0 : -1;
  });
}

/// The next datagram, with its sender; waits for one.
inline std::string receive(const unique_fd& socket, sockaddr_in* sender = nullptr) {
  if (!troupe::handlers::wait_readable(socket.get(), 10s))
    return "(nothing)";
  char text[256];
  sockaddr_in from{};
  socklen_t size = sizeof from;
  const ssize_t count = ::recvfrom(socket.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &size);
  if (sender != nullptr)
    *sender = from;
  return count < 0 ? std::strerror(errno) : std::string(text, static_cast<size_t>(count));
}

inline std::string forwarding() {
  return troupe::handlers::read_small_file("/proc/sys/net/ipv4/ip_forward").value_or("?").substr(0, 1);
}

inline std::string tables() {
  const auto listed = troupe::handlers::run_nft("list tables\n");
  return listed ? *listed : troupe::what_of(listed.error());
}

/// A sandbox's network: a namespace with a way out.
struct plugged {
  unique_fd space = new_namespace();
  std::string interface;
  std::string address;

  explicit plugged(egress_network& network) {
    auto result = network.plug(space.get());
    if (!result)
      throw std::runtime_error(troupe::what_of(result.error()));
    interface = result->interface;
    address = troupe::config::format_ipv4(result->address);
  }
};

/// The thread's network namespace is that of a machine with two addresses, 203.0.113.1 and 198.51.100.7, whose way out
/// leads to an internet with three servers: 203.0.113.10, 192.0.2.10, and the metadata service at 169.254.169.254.
class machine {
public:
  machine() {
    if (::access("/usr/sbin/nft", X_OK) != 0 || ::access("/usr/sbin/ip", X_OK) != 0) {
      missing = "nft or ip is not installed";
      return;
    }
    home_ = present_namespace();
    if (::unshare(CLONE_NEWNET) != 0) {
      missing = "network namespaces cannot be made here";
      return;
    }
    ip("link set lo up");
    internet = new_namespace();
    const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(internet.get());
    ip("link add wan type veth peer name net0 netns " + path);
    ip("address add 203.0.113.1/24 dev wan");
    ip("link set wan up");
    ip("link add lan type veth peer name lan0");
    ip("address add 198.51.100.7/24 dev lan");
    ip("link set lan up");
    in(internet, [] {
      for (const char* address : {"203.0.113.10/24", "192.0.2.10/32", "169.254.169.254/32"})
        ip("address add " + std::string{address} + " dev net0");
      ip("link set net0 up");
      ip("route add 10.0.0.0/8 via 203.0.113.1"); // somebody out there who tries
    });
    wait_until_up("wan");
    in(internet, [] { wait_until_up("net0"); });
    ip("route add default via 203.0.113.10");
    char name[] = "/tmp/troupe-test-XXXXXX";
    need(::mkdtemp(name) != nullptr, "make a directory");
    directory = name;
    settings.name = "troupe-test";
    settings.run_dir = directory;
    settings.range = *troupe::config::parse_ipv4_range("10.221.0.0/16");
    settings.denied = {*troupe::config::parse_ipv4_range("192.0.2.0/24")};
  }

  ~machine() {
    if (home_)
      enter(home_);
    if (!directory.empty())
      std::filesystem::remove_all(directory);
  }

  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;

  std::unique_ptr<egress_network> network() const {
    auto made = egress_network::make(settings);
    if (!made)
      throw std::runtime_error(troupe::what_of(made.error()));
    return std::move(*made);
  }

  std::string missing; ///< what this test cannot be run without
  unique_fd internet;
  egress_settings settings;
  std::string directory;

private:
  unique_fd home_;
};

/// How many interfaces of sandboxes the machine has.
inline long plugs() {
  long count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/sys/net/ipv4/conf"})
    count += entry.path().filename().string().starts_with("tr");
  return count;
}

} // namespace egress_bed
