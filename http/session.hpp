#pragma once

#include "http/awaited_turn.hpp"
#include "http/request_reader.hpp"
#include "http/response.hpp"
#include "http/router.hpp"
#include "http/server_state.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <string>

namespace troupe::http {

/// One client's connection: reads a request, answers it, and so on. Requests that come without waiting for answers
/// (pipelining) are answered one after the other, in order. Lives in the frame of its coroutine, on the io thread.
class session : public session_hook {
public:
  /// What the client is waited for with, and how long that may take.
  enum class phase : uint8_t {
    idle,      ///< between two requests: idle_timeout
    header,    ///< header_timeout from its first byte
    body,      ///< body_timeout without progress, limits::request_time_max in all
    running,   ///< not for the client; the gateway limits it
    writing,   ///< body_timeout without progress
    lingering, ///< limits::linger_time_max
  };

  session(tcp_socket socket, std::shared_ptr<server_state> server);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// The whole life of a connection.
  static task<void> run(std::unique_ptr<session> self);

  /// Ends what has taken too long; called by the server's sweep.
  void check_time();

  phase at() const noexcept { return phase_; }
  std::chrono::steady_clock::time_point since() const noexcept { return since_; }

  /// Nothing has been asked on it yet.
  bool is_new() const noexcept { return !asked_; }

  /// Bytes have come that have not been read yet.
  bool has_input();

  /// Closes the connection, whatever it is doing.
  void close();

private:
  task<void> serve();
  task<bool> receive_request();
  task<void> answer_request();
  task<void> send_rest();
  task<void> linger();

  void begin_request();
  bool wants_bytes();
  void admit();
  bool account_body();
  void refuse(const caf::error& problem);
  boost::asio::mutable_buffer room();
  bool received(size_t bytes);
  void start_answer();
  bool send_some();
  void finish_request();
  void enter(phase next) noexcept;

  tcp_socket socket_;
  awaited_turn turn_;
  std::shared_ptr<server_state> server_;
  request_reader reader_;
  route route_;
  std::string tenant_; ///< whose request it is
  turns::lane lane_;   ///< in which it waits: the tenant's, as soon as that is known
  response response_;
  boost::beast::flat_buffer input_;
  std::string output_; ///< the answer's head, and its body when that is small
  std::array<boost::asio::const_buffer, 2> unsent_;
  boost::system::error_code failed_; ///< of the last operation on the socket
  phase phase_ = phase::idle;
  std::chrono::steady_clock::time_point since_; ///< of the phase, or of its last progress
  std::chrono::steady_clock::time_point began_; ///< of the request
  size_t accounted_ = 0;                        ///< this session's part of server_->held_body_bytes
  bool open_ = true;                            ///< for another request
  bool refused_ = false;                        ///< the answer is there without a route having run
  bool unread_ = false;                         ///< bytes of the request may still be coming
  bool timed_out_ = false;
  bool asked_ = false; ///< at least once
};

} // namespace troupe::http
