#include "actors/sandbox_link.hpp"

#include "config/limits.hpp"

#include <boost/asio/buffer.hpp>
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace troupe {

namespace asio = boost::asio;
using error_code = boost::system::error_code;

namespace {

constexpr size_t log_piece_bytes = 16 * limits::kib;
constexpr int log_pipe_pieces = 4; ///< what a pipe holds, unless it has been made larger

} // namespace

void sandbox_link::piece::wait(sandbox_link& of) {
  if (of_)
    return;
  of_ = of.shared_from_this();
  since_ = std::chrono::steady_clock::now();
  of.loop_.turns().go_on(*this, of.lane_);
}

void sandbox_link::piece::take() {
  waited_ = waited();
  const auto of = std::exchange(of_, nullptr);
  (of.get()->*what_)();
}

std::chrono::nanoseconds sandbox_link::piece::waited() const noexcept {
  return of_ ? waited_ + (std::chrono::steady_clock::now() - since_) : waited_;
}

void sandbox_link::piece::forget() noexcept {
  since_ = std::chrono::steady_clock::now();
  waited_ = {};
}

std::shared_ptr<sandbox_link> sandbox_link::make(io_loop& loop, turns::lane lane, handlers::sandbox_process& process,
                                                 events to) {
  std::shared_ptr<sandbox_link> link{new sandbox_link{loop, lane, process, std::move(to)}};
  link->listen();
  link->watch_log();
  return link;
}

sandbox_link::sandbox_link(io_loop& loop, turns::lane lane, handlers::sandbox_process& process, events to)
  : loop_{loop},
    lane_{lane},
    to_handler_{loop.io(), process.events.release()},
    from_handler_{loop.io(), process.answers.release()},
    log_{loop.io(), process.log.release()},
    ending_{loop.io()},
    timer_{loop.io()},
    events_{std::move(to)} {
  to_handler_.native_non_blocking(true);
  from_handler_.native_non_blocking(true);
  log_.native_non_blocking(true);
}

void sandbox_link::send(const wire::invoke_header& header, std::string payload) {
  wire::encode_invoke(out_header_, header, payload.size());
  out_payload_ = std::move(payload);
  out_sent_ = 0;
  awaits_reply_ = sending_ = true;
  send_rest();
}

/// A piece of it.
void sandbox_link::send_rest() {
  if (closed_)
    return;
  const size_t head = out_header_.size();
  const size_t total = head + out_payload_.size();
  std::array<iovec, 2> parts{};
  size_t count = 0;
  if (out_sent_ < head)
    parts[count++] = {out_header_.data() + out_sent_, head - out_sent_};
  const size_t skip = out_sent_ > head ? out_sent_ - head : 0;
  parts[count++] = {out_payload_.data() + skip, std::min(out_payload_.size() - skip, wire::long_piece_bytes)};
  const ssize_t n = ::writev(to_handler_.native_handle(), parts.data(), static_cast<int>(count));
  if (n < 0 && errno != EAGAIN && errno != EINTR) {
    out_payload_ = {};
    fail();
    return;
  }
  out_sent_ += static_cast<size_t>(std::max<ssize_t>(n, 0));
  if (out_sent_ < total) {
    wait_to_send();
    return;
  }
  sending_ = false;
  out_payload_ = {}; // an idle sandbox keeps no event
}

void sandbox_link::wait_to_send() {
  to_handler_.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](error_code ec) {
    if (!ec)
      self->event_piece_.wait(*self);
  });
}

/// Of the reads in this look.
bool sandbox_link::is_first(look_count& of) noexcept {
  if (std::exchange(of.look, loop_.looks()) != loop_.looks())
    of.reads = 0;
  return ++of.reads == 1;
}

void sandbox_link::listen() {
  if (in_turns_ || replies_.is_long()) {
    from_handler_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](error_code ec) {
      if (!self->from_handler_.is_open())
        return;
      if (ec)
        self->fail();
      else
        self->answer_piece_.wait(*self);
    });
    return;
  }
  const auto room = replies_.room();
  from_handler_.async_read_some(asio::buffer(room.data(), room.size()),
                                [self = shared_from_this()](error_code ec, size_t bytes) {
                                  if (!self->from_handler_.is_open())
                                    return;
                                  self->in_turns_ = !self->is_first(self->answer_reads_);
                                  if (ec)
                                    self->fail();
                                  else
                                    self->take_replies(bytes);
                                });
}

void sandbox_link::read_in_turn() {
  if (!from_handler_.is_open())
    return;
  in_turns_ = false;
  const auto room = replies_.room();
  const ssize_t bytes = ::read(from_handler_.native_handle(), room.data(), room.size());
  if (bytes > 0)
    take_replies(static_cast<size_t>(bytes));
  else if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
    listen();
  else
    fail();
}

/// So many bytes have been read to where the reader wanted them.
void sandbox_link::take_replies(size_t bytes) {
  replies_.came(bytes);
  while (auto reply = replies_.next()) {
    if (sending_ || !std::exchange(awaits_reply_, false)) {
      fail(); // Nobody awaits it: what a sound handler process never says.
      return;
    }
    events_.on_reply(std::move(*reply));
  }
  if (replies_.broken())
    fail();
  else
    listen();
}

void sandbox_link::fail() {
  // `close` comes from the actor; until then nothing more is read.
  if (events_.on_closed)
    events_.on_closed();
}

void sandbox_link::set_deadline(std::chrono::steady_clock::time_point when) {
  deadline_ = when;
  event_piece_.forget();
  answer_piece_.forget();
  if (when < armed_)
    arm(when);
}

std::chrono::nanoseconds sandbox_link::waited() const noexcept {
  return event_piece_.waited() + answer_piece_.waited();
}

void sandbox_link::arm(std::chrono::steady_clock::time_point when) {
  armed_ = when;
  timer_.expires_at(when);
  timer_.async_wait([self = shared_from_this(), when](error_code ec) {
    if (ec || self->closed_ || self->armed_ != when)
      return;
    self->armed_ = never;
    if (self->deadline_ == never)
      return;
    if (const auto due = self->deadline_ + self->waited(); due > std::chrono::steady_clock::now()) {
      self->arm(due);
      return;
    }
    self->deadline_ = never;
    self->events_.on_deadline();
  });
}

void sandbox_link::watch_log() {
  log_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](error_code ec) {
    if (ec || self->closed_)
      return;
    if (self->read_log(1) || !self->is_first(self->log_reads_))
      self->log_piece_.wait(*self);
    else if (self->log_.is_open())
      self->watch_log();
  });
}

void sandbox_link::read_flood() {
  if (!log_.is_open())
    return;
  read_log(log_pipe_pieces);
  if (log_.is_open())
    watch_log();
}

/// So many pieces of it, or all; true when the last one was full. Less than that may be a packet (O_DIRECT).
bool sandbox_link::read_log(int pieces) {
  std::array<char, log_piece_bytes> chunk;
  ssize_t n = 0;
  while (pieces-- > 0) {
    n = ::read(log_.native_handle(), chunk.data(), chunk.size());
    if (n == 0) { // Nobody holds the writing end any more.
      error_code ignored;
      log_.close(ignored);
    }
    if (n <= 0)
      return false;
    log_tail_.append(chunk.data(), static_cast<size_t>(n));
    if (log_tail_.size() > limits::log_tail_bytes)
      log_tail_.erase(0, log_tail_.size() - limits::log_tail_bytes);
  }
  return static_cast<size_t>(n) == chunk.size();
}

std::string sandbox_link::take_log() {
  if (log_.is_open())
    read_log(log_pipe_pieces);
  return std::exchange(log_tail_, {});
}

void sandbox_link::stop_listening() {
  error_code ignored;
  from_handler_.close(ignored);
  deadline_ = never;
}

bool sandbox_link::await_end(const unique_fd& process) {
  unique_fd watched{::fcntl(process.get(), F_DUPFD_CLOEXEC, 0)};
  error_code problem;
  if (watched)
    ending_.assign(watched.get(), problem);
  if (!watched || problem)
    return false;
  watched.release();
  ending_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](error_code ec) {
    if (!ec && !self->closed_)
      self->events_.on_ended();
  });
  return true;
}

void sandbox_link::close() {
  closed_ = true;
  error_code ignored;
  to_handler_.close(ignored);
  from_handler_.close(ignored);
  log_.close(ignored);
  ending_.close(ignored);
  timer_.cancel();
  events_ = {};
}

} // namespace troupe
