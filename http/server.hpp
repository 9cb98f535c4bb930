#pragma once

#include "config/settings.hpp"
#include "http/node_context.hpp"
#include "http/server_state.hpp"

#include <caf/error.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace troupe::http {

/// The node's HTTP server: listens, keeps the sessions and ends those that are too slow. All on the io thread.
/// `node` has to live until the loop runs no more: sessions use it.
class server {
public:
  server(io_loop& loop, config::http_settings settings, node_context& node);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Listens, and begins to accept. Fails with invalid_argument (not an address of loopback: requests are not
  /// authenticated yet), already_running (the port is taken) or io_error.
  caf::error start();

  /// The port that it listens on: the system's choice when the settings say 0.
  uint16_t local_port() const noexcept { return port_; }

  /// The node is about to stop: it is not ready any more, and every connection ends with its next answer. New ones are
  /// still taken.
  void retire() { state_->node.leaving = true; }

  /// Accepts nothing more, closes idle connections, and returns once the requests under way have been answered, but for
  /// those that await the node's end; or after `drain`. No connection that a client has made is lost by that.
  task<void> finish(std::chrono::milliseconds drain);

  /// A `finish` or `stop` under way takes no longer than this.
  void hurry(std::chrono::milliseconds drain);

  /// The same for all requests; then what is left is closed.
  task<void> stop(std::chrono::milliseconds drain);

private:
  struct listener;

  task<void> wait_until_quiet(std::chrono::steady_clock::time_point at_most);

  std::shared_ptr<server_state> state_;
  std::shared_ptr<listener> listener_;
  uint16_t port_ = 0;
};

} // namespace troupe::http
