#pragma once

#include "actors/cluster/channel.hpp"
#include "actors/cluster/hello.hpp"
#include "actors/cluster/tls.hpp"
#include "config/limits.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace troupe::cluster {

struct door_settings {
  hello mine;                                  ///< with port 0: the port that the door listens on is told
  std::optional<tls_files> tls = std::nullopt; ///< without: who can connect can join
  std::chrono::milliseconds handshake_timeout = limits::handshake_time_max;
  size_t pending_max = limits::handshakes_max; ///< connections that came in and are in the handshake
  size_t pending_per_address_max = limits::handshakes_address_max;
  std::chrono::milliseconds stall_timeout = limits::link_stall_time_max; ///< ends links that take nothing for so long
};

/// A node that has passed the handshake, and the link to it.
struct peer {
  hello who = {};
  std::string address = {}; ///< as seen from here,
  uint16_t port = 0;        ///< which is not where others reach it
  unique_fd socket = {};    ///< a stream without a byte missing or added; non-blocking, close-on-exec
  direction came = direction::accepted;
  config::node_address dialled_at = {}; ///< as it was asked for, where it was dialled
};

/// What became of a dial.
enum class dial_end : uint8_t {
  linked,
  failed,
  later, ///< the other one is going to dial, or is linked with already
};

/// What the door asks and tells its owner, on its thread. Nothing is asked or told after `close`.
struct door_events {
  /// Whether a node that the door itself has nothing against may come in: the reason when it may not, which is told to
  /// it. The address is the one that it is seen at, empty when it was dialled. A question and no promise: the handshake
  /// may still fail, and another with the same node be under way.
  std::function<std::optional<refusal>(const hello& who, const std::string& seen_at)> admit;
  std::function<void(peer)> arrived;
};

using dial_done = std::function<void(dial_end how, const caf::error& problem)>;

struct door_stats {
  uint64_t accepted = 0;      ///< connections that came in
  uint64_t dialled = 0;       ///< dials
  uint64_t admitted = 0;      ///< of both, those that became links;
  uint64_t refused = 0;       ///< those that were turned away or broke,
  uint64_t later = 0;         ///< those that meet the other way round, or have met,
  uint64_t timed_out = 0;     ///< and those that took too long
  uint64_t accept_failed = 0; ///< attempts to accept, for want of descriptors for instance
  size_t pending = 0;         ///< of the accepted, in the handshake
  size_t dialling = 0;        ///< of the dialled, not yet there
  std::string last_failure;   ///< what became of the last one that did not become a link: a line
};

/// Where nodes meet: takes connections and makes them, does TLS and the handshake within limits, and hands over what
/// is left, a socket between two nodes that know each other. Everything on the thread of the io_context, which has to
/// outlive the door. Links that were handed over do not depend on it any more.
class door {
public:
  /// Fails with invalid_argument when a file of TLS cannot be used.
  static caf::expected<std::unique_ptr<door>> make(boost::asio::io_context& io, door_settings settings,
                                                   door_events events);
  ~door(); ///< closes it
  door(const door&) = delete;
  door& operator=(const door&) = delete;

  /// Listens on an IP address, on a free port when `port` is 0. Once. Fails with invalid_argument, already_running
  /// (the port is taken) or io_error.
  caf::error listen(const std::string& address, uint16_t port);

  /// The port that it listens on; 0 when it does not.
  uint16_t port() const noexcept;

  /// Connects with the node at `host`, an address or a DNS name. `done` is called once, never from within `dial`: with
  /// `linked` and no error after `arrived`, else with `conflict` (one of the two refuses the other) or `unavailable`,
  /// and one line. The node that is dialled has to write first: the link arrives when its first bytes have.
  void dial(std::string host, uint16_t port, dial_done done);

  /// Ends all that is under way and listens no more. For good.
  void close();

  door_stats stats() const;

private:
  struct state;

  explicit door(std::shared_ptr<state> made) : state_{std::move(made)} {}

  std::shared_ptr<state> state_;
};

} // namespace troupe::cluster
