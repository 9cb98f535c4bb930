#include "http/session.hpp"

#include "config/limits.hpp"
#include "http/routes.hpp"
#include "http/tenant.hpp"

#include <boost/asio/redirect_error.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace troupe::http {

namespace asio = boost::asio;
using progress = request_reader::progress;

namespace {

/// A buffer for a header and a small body; it grows when a request brings more.
constexpr size_t input_bytes_min = 4 * limits::kib;
constexpr size_t answer_piece_bytes = 64 * limits::kib; ///< given to a socket in one turn
/// A body up to this size is sent in one piece with its head: copying is cheaper than a second buffer.
constexpr size_t small_answer_bytes = 4 * limits::kib;

constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

} // namespace

session::session(tcp_socket socket, std::shared_ptr<server_state> server)
  : socket_{std::move(socket)}, server_{std::move(server)}, lane_{server_->turns.any()} {
  server_->sessions.push_back(*this);
  ++server_->counts->connections_open;
  ++server_->counts->connections_total;
  enter(phase::idle);
}

session::~session() {
  server_->held_body_bytes -= accounted_;
  --server_->counts->connections_open;
  unlink();
  if (server_->stopping && server_->is_quiet())
    server_->quiet.cancel();
}

void session::enter(phase next) noexcept {
  phase_ = next;
  since_ = server_->now;
  timed_out_ = false;
}

task<void> session::run(std::unique_ptr<session> self) {
  co_await self->serve();
}

task<void> session::serve() {
  socket_.non_blocking(true, failed_);
  if (!failed_)
    socket_.set_option(asio::ip::tcp::no_delay(true), failed_);
  while (open_ && !failed_) {
    begin_request();
    // Not in the condition: g++ 12 lays the coroutine's frame out wrongly for `if (!co_await ...) co_return`.
    const bool complete = co_await receive_request();
    if (!complete)
      co_return;
    if (server_->turns.current() != lane_) // Only now it is known whose request it is.
      co_await turn_.wait(server_->turns, lane_);
    if (!refused_)
      co_await answer_request();
    start_answer();
    if (!send_some())
      co_await send_rest();
    finish_request();
    if (input_.size() > 0) // The next request is here already.
      co_await turn_.wait(server_->turns, lane_);
  }
  if (!failed_ && unread_)
    co_await linger();
}

void session::begin_request() {
  reader_.restart();
  response_.restart();
  refused_ = unread_ = false;
  enter(input_.size() > 0 ? phase::header : phase::idle);
  began_ = since_;
}

/// Reads until the request is complete or refused; false when the client has gone.
task<bool> session::receive_request() {
  auto token = asio::redirect_error(use_task, failed_);
  while (wants_bytes()) {
    if (unsent_[0].size() > 0 && !send_some()) { // The client waits for "100 Continue".
      const auto before = phase_;
      co_await send_rest();
      if (failed_)
        co_return false;
      enter(before);
    }
    const size_t bytes = co_await socket_.async_read_some(room(), token);
    if (!received(bytes))
      co_return refused_;
    co_await turn_.wait(server_->turns, lane_);
    if (!socket_.is_open())
      co_return false;
  }
  co_return !failed_;
}

/// Feeds what has been received; false when that completes the request or makes it impossible.
bool session::wants_bytes() {
  for (;;) {
    const auto bytes = input_.data();
    input_.consume(reader_.feed({static_cast<const char*>(bytes.data()), bytes.size()}));
    const bool fits = account_body();
    switch (reader_.state()) {
      case progress::header:
      case progress::body:
        // What the parser cannot use yet has to fit into the buffer (a chunk's header or a trailer, that is).
        if (input_.size() >= limits::header_bytes_max + limits::read_bytes_max)
          refuse(make_error(errc::invalid_argument, "malformed HTTP request: a line is too long"));
        else if (!fits)
          refuse(make_throttled(throttle::large_requests));
        return !refused_;
      case progress::decision:
        admit();
        if (refused_)
          return false;
        break;
      case progress::done: return false;
      case progress::failed: refuse(reader_.problem()); return false;
    }
  }
}

/// The header is complete: decides whether the request may go on.
void session::admit() {
  const auto& request = reader_.get();
  route_ = find_route(request.method, request.target);
  if (route_.problem != errc::none) {
    if (route_.problem == errc::method_not_allowed)
      response_.add_field("Allow", route_.allow);
    return refuse(make_error(route_.problem));
  }
  auto tenant = tenant_of(request);
  if (!tenant)
    return refuse(tenant.error());
  tenant_ = std::move(*tenant);
  lane_ = server_->turns.lane_of(tenant_);
  reader_.accept(body_bytes_max(route_.where));
  if (reader_.state() != progress::body)
    return;
  enter(phase::body);
  if (request.expects_continue && request.http_1_1 && input_.size() == 0)
    unsent_[0] = asio::buffer(continue_line);
}

/// Adds what this request holds to the sum of all sessions; false when that is too much.
bool session::account_body() {
  const size_t held = reader_.get().body.size();
  server_->held_body_bytes += held - accounted_;
  accounted_ = held;
  return server_->held_body_bytes <= limits::held_body_bytes_max;
}

/// Makes an error the answer.
void session::refuse(const caf::error& problem) {
  const auto allow = std::move(response_.fields);
  set_error(response_, route_.speaks, problem);
  response_.fields += allow;
  refused_ = true;
  unread_ = reader_.state() != progress::decision || reader_.has_body();
  open_ = !unread_;
}

asio::mutable_buffer session::room() {
  const size_t most = limits::header_bytes_max + limits::read_bytes_max - input_.size();
  const size_t want = phase_ == phase::body ? limits::read_bytes_max : input_bytes_min;
  // A body that is all but here needs no large buffer.
  const size_t rest = std::max<uint64_t>(input_bytes_min, reader_.body_bytes_left().value_or(want));
  return input_.prepare(std::min({most, want, rest}));
}

/// What a read has brought; false when it was nothing, and then `refused_` says whether there is an answer to send.
bool session::received(size_t bytes) {
  if (!failed_) {
    input_.commit(bytes);
    timed_out_ = false;
    if (phase_ == phase::idle) {
      enter(phase::header);
      began_ = since_;
    } else if (phase_ == phase::body) {
      enter(phase::body);
    }
    return true;
  }
  if (timed_out_ && phase_ != phase::idle) {
    failed_ = {};
    refuse(make_error(errc::request_timeout));
  }
  return false;
}

task<void> session::answer_request() {
  enter(phase::running);
  exchange x{reader_.get(), route_, tenant_, response_};
  try {
    co_await answer(server_->node, x);
  } catch (const std::exception& problem) {
    // A bug; it costs this client its answer and nobody else anything.
    spdlog::error("a route failed: {}", problem.what());
    set_error(response_, route_.speaks, make_error(errc::internal));
  }
}

void session::start_answer() {
  const auto& request = reader_.get();
  open_ = open_ && request.keep_alive && !server_->stopping && !server_->node.leaving;
  ++server_->counts->answers[static_cast<size_t>(response_.status)];
  const bool head = request.method == boost::beast::http::verb::head;
  output_.clear();
  append_head(output_, response_, {request.http_1_1, open_, head}, server_->date);
  auto& body = response_.body;
  const bool in_one = !head && body.size() <= small_answer_bytes;
  if (in_one)
    output_ += body;
  unsent_ = {asio::buffer(output_), head || in_one ? asio::const_buffer{} : asio::buffer(body)};
  enter(phase::writing);
}

/// Writes as much as the socket takes, at most a piece; true when nothing is left or the connection is broken.
bool session::send_some() {
  const std::array piece{unsent_[0], asio::buffer(unsent_[1], answer_piece_bytes)};
  size_t sent = piece[1].size() == 0 ? socket_.write_some(piece[0], failed_) : socket_.write_some(piece, failed_);
  if (failed_ == asio::error::would_block) {
    failed_ = {};
    return false;
  }
  if (failed_)
    return true;
  for (auto& part : unsent_) {
    const size_t step = std::min(sent, part.size());
    part += step;
    sent -= step;
  }
  since_ = server_->now;
  return unsent_[0].size() + unsent_[1].size() == 0;
}

/// A piece a turn, so that others do not wait for the whole of a large answer.
task<void> session::send_rest() {
  auto token = asio::redirect_error(use_task, failed_);
  enter(phase::writing);
  do {
    co_await socket_.async_wait(asio::socket_base::wait_write, token);
    if (!failed_)
      co_await turn_.wait(server_->turns, lane_);
  } while (!failed_ && !send_some());
}

void session::finish_request() {
  asked_ = true;
  server_->held_body_bytes -= std::exchange(accounted_, 0);
  // The buffer that brought the answer takes the next request's body.
  reader_.get().body = std::move(response_.body);
  reader_.trim();
  if (input_.size() == 0 && input_.capacity() > limits::kept_buffer_bytes_max) {
    input_.clear();
    input_.shrink_to_fit();
  }
}

/// Reads on for a while after an answer that came before the request's end: a connection that is closed with unread
/// bytes is reset, and the client may never see the answer (RFC 9112, 9.6).
task<void> session::linger() {
  auto token = asio::redirect_error(use_task, failed_);
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, failed_);
  enter(phase::lingering);
  while (!failed_) {
    input_.clear();
    co_await socket_.async_read_some(input_.prepare(limits::read_bytes_max), token);
    if (!failed_) // A client may send as fast as it is read.
      co_await turn_.wait(server_->turns, lane_);
  }
}

void session::check_time() {
  const auto& settings = server_->settings;
  std::chrono::milliseconds allowed{0};
  bool late = false;
  switch (phase_) {
    case phase::running: return;
    case phase::idle: allowed = settings.idle_timeout; break;
    case phase::header: allowed = settings.header_timeout; break;
    case phase::body:
      allowed = settings.body_timeout;
      late = server_->now - began_ > limits::request_time_max;
      break;
    case phase::writing: allowed = settings.body_timeout; break;
    case phase::lingering: allowed = limits::linger_time_max; break;
  }
  // A stamp may be one sweep older than what it stands for.
  if (!late && server_->now - since_ <= allowed + server_->sweep_interval)
    return;
  timed_out_ = true;
  boost::system::error_code ignored; // It fails only for a closed socket, which is what is wanted.
  socket_.cancel(ignored);
}

bool session::has_input() {
  boost::system::error_code problem; // Of a closed socket, from which nothing comes.
  return socket_.available(problem) > 0;
}

void session::close() {
  boost::system::error_code ignored; // The descriptor is gone in any case (close(2)).
  socket_.close(ignored);
}

} // namespace troupe::http
