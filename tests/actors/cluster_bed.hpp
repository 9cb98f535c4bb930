#pragma once

#include "actors/cluster/door.hpp"

#include "config/errc.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

/// What the suites about nodes that meet share: doors and strangers on 127.0.0.1, and one io_context that runs only
/// while something is waited for.
namespace troupe::cluster::test {

using namespace std::chrono_literals;

inline hello sample_hello(const std::string& name) {
  return {.cluster = "c",
          .name = name,
          .version = "0.1.0",
          .roles = {.balancer = true, .worker = true},
          .id = uuid::make(),
          .address = "127.0.0.1"};
}

inline size_t open_descriptors() {
  size_t count = 0;
  for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fd"})
    count += each.is_symlink() ? 1 : 0;
  return count;
}

/// A node as far as its door goes, and what it was told.
struct node {
  std::unique_ptr<door> entry;
  std::vector<hello> asked;         ///< whether they may come in
  std::optional<refusal> objection; ///< what is said to that
  std::vector<peer> arrived;
  std::string greeting = "first"; ///< what it writes to each that has come in, as CAF does
  std::vector<caf::error> dials;  ///< how they ended
  dial_end last_end{};            ///< and the last one

  void call(uint16_t port, const std::string& host = "127.0.0.1") {
    entry->dial(host, port, [this](dial_end how, const caf::error& problem) {
      last_end = how;
      dials.push_back(problem);
    });
  }

  /// The line that the last dial ended with.
  std::string last_line() const { return dials.empty() ? "none has ended" : what_of(dials.back()); }
};

/// Any TCP connection, on this side of the network. Nothing here blocks.
class stranger {
public:
  explicit stranger(uint16_t port, uint32_t from = INADDR_LOOPBACK)
    : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(from);
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0)
      throw std::runtime_error("cannot bind");
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place.sin_port = htons(port);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0)
      throw std::runtime_error("cannot connect");
  }
  int fd() const { return fd_.get(); }
  void hang_up() { fd_.reset(); }

private:
  unique_fd fd_;
};

/// A socket that listens and does nothing else.
class listener {
public:
  explicit listener(int backlog = 16) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&place), size) != 0 || ::listen(fd_.get(), backlog) != 0
        || ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&place), &size) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(place.sin_port);
  }
  uint16_t port() const { return port_; }
  unique_fd accept() { return unique_fd{::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)}; }

private:
  unique_fd fd_;
  uint16_t port_ = 0;
};

struct cluster_bed {
  boost::asio::io_context io{1};

  /// Runs what is due until `holds`; false when it has not come to that in ten seconds.
  template <class Condition>
  bool run_until(Condition holds) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end)
        return false;
      io.restart();
      if (io.poll_one() == 0)
        io.run_one_for(1ms);
    }
    return true;
  }

  /// A node whose door listens on a free port.
  std::unique_ptr<node> open(door_settings settings) {
    auto made = std::make_unique<node>();
    auto* told = made.get();
    const auto arrived = [told](peer who) {
      if (who.came == direction::accepted && !told->greeting.empty())
        if (::send(who.socket.get(), told->greeting.data(), told->greeting.size(), MSG_NOSIGNAL) < 0)
          throw std::runtime_error("cannot greet");
      told->arrived.push_back(std::move(who));
    };
    const auto admit = [told](const hello& who, const std::string&) {
      told->asked.push_back(who);
      return told->objection;
    };
    auto opened = door::make(io, std::move(settings), {admit, arrived});
    if (!opened)
      throw std::runtime_error(what_of(opened.error()));
    made->entry = std::move(*opened);
    if (const auto problem = made->entry->listen("127.0.0.1", 0))
      throw std::runtime_error(what_of(problem));
    return made;
  }

  std::unique_ptr<node> open(const std::string& name) { return open({.mine = sample_hello(name)}); }

  /// One dials the other, and it is known how that went.
  bool meet(node& from, node& to) {
    const auto before = from.dials.size();
    from.call(to.entry->port());
    return run_until([&] { return from.dials.size() > before && to.entry->stats().pending == 0; });
  }

  /// The next bytes from a socket, exactly so many; fewer when it ends before.
  std::string receive(int fd, size_t size) {
    std::string bytes;
    run_until([&] {
      std::string part(size - bytes.size(), '\0');
      const auto got = ::recv(fd, part.data(), part.size(), MSG_DONTWAIT);
      if (got > 0)
        bytes.append(part, 0, static_cast<size_t>(got));
      return bytes.size() == size || got == 0 || (got < 0 && errno != EAGAIN);
    });
    return bytes;
  }

  bool send(int fd, std::string_view bytes) {
    run_until([&] {
      const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0)
        bytes.remove_prefix(static_cast<size_t>(sent));
      return bytes.empty() || (sent < 0 && errno != EAGAIN);
    });
    return bytes.empty();
  }

  /// Whether the other side closes a socket, whatever it has sent before.
  bool ends(int fd) {
    return run_until([&] {
      char some[4096];
      const auto got = ::recv(fd, some, sizeof some, MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno != EAGAIN);
    });
  }

  /// Sends both ways at one time, more than all buffers hold, and says whether all arrived as it was.
  bool exchange(int a, int b, size_t bytes) {
    std::string text(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i)
      text[i] = static_cast<char>(i * 131 >> 3);
    size_t sent_a = 0, sent_b = 0;
    std::string got_a, got_b;
    const auto push = [&text](int fd, size_t& sent) {
      const auto n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      sent += n > 0 ? static_cast<size_t>(n) : 0;
    };
    const auto pull = [](int fd, std::string& got) {
      std::string some(1 << 18, '\0');
      const auto n = ::recv(fd, some.data(), some.size(), MSG_DONTWAIT);
      got.append(some, 0, n > 0 ? static_cast<size_t>(n) : 0);
    };
    return run_until([&] {
             push(a, sent_a);
             push(b, sent_b);
             pull(a, got_a);
             pull(b, got_b);
             return got_a.size() >= bytes && got_b.size() >= bytes;
           })
        && got_a == text && got_b == text;
  }
};

} // namespace troupe::cluster::test
