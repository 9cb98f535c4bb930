#pragma once

#include "actors/cluster/io_task.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace troupe::cluster {

/// Which end of a connection a node is.
enum class direction : uint8_t {
  dialled,
  accepted,
};

/// A connection to another node, with TLS or without, and the time that it has left. Shared by the coroutines that use
/// it; all on the thread of its io_context. After `close` everything under way ends with an error.
class channel : public std::enable_shared_from_this<channel> {
public:
  /// With TLS when there is a context.
  static std::shared_ptr<channel> make(tcp_socket socket, boost::asio::ssl::context* tls);

  tcp_socket& socket() noexcept;
  bool has_tls() const noexcept { return std::holds_alternative<tls_stream>(stream_); }

  /// Closes it when so much time has passed before `stay`.
  void close_after(std::chrono::milliseconds time);
  void stay();
  bool timed_out() const noexcept { return timed_out_; }
  std::chrono::milliseconds time_allowed() const noexcept { return time_allowed_; }

  void close();
  bool is_closed() const noexcept { return closed_; }

  /// Sleeps until `wake` or `close`; at once when either has happened before.
  task<void> sleep();
  void wake();

  /// The TLS handshake; nothing without TLS.
  task<error_code> secure(direction side);

  /// The name in the other side's certificate; nullopt without TLS.
  std::optional<std::string> certificate_name();

  /// Fills `whole`, taking not a byte more.
  task<error_code> read(boost::asio::mutable_buffer whole);
  task<error_code> write(const std::string& whole);

  /// Some bytes, at least one without an error.
  task<size_t> read_some(boost::asio::mutable_buffer into, error_code& problem);
  task<size_t> write_some(boost::asio::const_buffer from, error_code& problem);

  /// Waits for the first byte of what comes next and leaves it where it is, without TLS; with TLS it is put into
  /// `taken`, with what came along.
  task<error_code> await_bytes(std::string& taken);

  /// Says that nothing more is sent, and waits until the other side has hung up, so that it gets what was written
  /// last: closing with bytes unread would make the kernel drop that.
  task<void> part();

  /// `problem` of this connection, as the rest of a sentence about the other side.
  std::string words(const error_code& problem);

private:
  using tls_stream = boost::asio::ssl::stream<tcp_socket>;

  channel(tcp_socket socket, boost::asio::ssl::context* tls);

  std::variant<tcp_socket, tls_stream> stream_;
  io_timer deadline_;
  io_timer waker_;
  std::chrono::milliseconds time_allowed_{0};
  bool timed_out_ = false;
  bool closed_ = false;
};

} // namespace troupe::cluster
