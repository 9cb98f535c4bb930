#pragma once

#include "actors/io_loop.hpp"
#include "config/settings.hpp"
#include "http/node_context.hpp"

#include <boost/intrusive/list.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace troupe::http {

class session;

/// The hook by which a session hangs in its server's list; it leaves by itself when it ends.
using session_hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// What a server's sessions share. It lives as long as the last of them; all on the io thread.
struct server_state {
  server_state(io_loop& loop, config::http_settings http, node_context& shared)
    : io{loop.io()},
      turns{loop.turns()},
      settings{std::move(http)},
      node{shared},
      counts{shared.counts},
      quiet{loop.io()} {}

  /// Sets the coarse time that sessions stamp what they do with.
  void set_time();

  boost::asio::io_context& io;
  class turns& turns;
  config::http_settings settings;
  node_context& node;
  std::shared_ptr<traffic> counts;
  std::chrono::milliseconds sweep_interval{1000};
  std::chrono::steady_clock::time_point now; ///< at the last sweep
  std::string date;                          ///< the Date field's value at the last sweep
  boost::intrusive::list<session_hook, boost::intrusive::constant_time_size<false>> sessions;
  size_t held_body_bytes = 0; ///< of requests that are under way
  bool stopping = false;      ///< nothing new is accepted
  bool closing = false;       ///< and no request is waited for that awaits the node's end
  io_timer quiet;             ///< cancelled when it may be, after `stopping`
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max(); ///< what runs may run

  /// Whether all has been answered that is to be.
  bool is_quiet() const noexcept { return counts->connections_open <= (closing ? 0 : node.awaiting_end); }
};

} // namespace troupe::http
