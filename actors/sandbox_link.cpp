#include "actors/sandbox_link.hpp"

#include "config/limits.hpp"

#include <boost/asio/buffer.hpp>
#include <fcntl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

namespace troupe {

namespace asio = boost::asio;
using error_code = boost::system::error_code;

namespace {

constexpr size_t log_piece_bytes = 16 * limits::kib;
constexpr int log_pipe_pieces = 4; ///< what a pipe holds, unless it has been made larger

} // namespace

void sandbox_link::piece::wait(sandbox_link& of) {
  of_ = of.shared_from_this();
  of.loop_.turns().wait(*this, of.lane_);
}

void sandbox_link::piece::take() {
  const auto of = std::exchange(of_, nullptr);
  (of.get()->*what_)();
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
  send_rest();
}

void sandbox_link::send_rest() {
  const size_t head = out_header_.size();
  const size_t total = head + out_payload_.size();
  while (out_sent_ < total && !closed_) {
    std::array<iovec, 2> parts{};
    size_t count = 0;
    if (out_sent_ < head)
      parts[count++] = {out_header_.data() + out_sent_, head - out_sent_};
    const size_t skip = out_sent_ > head ? out_sent_ - head : 0;
    parts[count++] = {out_payload_.data() + skip, out_payload_.size() - skip};
    const ssize_t n = ::writev(to_handler_.native_handle(), parts.data(), static_cast<int>(count));
    if (n >= 0) {
      out_sent_ += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      to_handler_.async_wait(asio::posix::descriptor_base::wait_write, [self = shared_from_this()](error_code ec) {
        if (!ec)
          self->send_rest();
      });
      return;
    } else if (errno != EINTR) {
      out_payload_ = {};
      fail();
      return;
    }
  }
  out_payload_ = {}; // an idle sandbox keeps no event
}

void sandbox_link::listen() {
  if (replies_.is_long()) {
    from_handler_.async_wait(asio::posix::descriptor_base::wait_read, [self = shared_from_this()](error_code ec) {
      if (!self->from_handler_.is_open())
        return;
      if (ec)
        self->fail();
      else
        self->long_piece_.wait(*self);
    });
    return;
  }
  const auto room = replies_.room();
  from_handler_.async_read_some(asio::buffer(room.data(), room.size()),
                                [self = shared_from_this()](error_code ec, size_t bytes) {
                                  if (!self->from_handler_.is_open())
                                    return;
                                  if (ec)
                                    self->fail();
                                  else
                                    self->take_replies(bytes);
                                });
}

void sandbox_link::read_long() {
  if (!from_handler_.is_open())
    return;
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
  while (auto reply = replies_.next())
    events_.on_reply(std::move(*reply));
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
  if (when < armed_)
    arm(when);
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
    if (self->deadline_ > std::chrono::steady_clock::now()) {
      self->arm(self->deadline_);
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
    if (self->read_log(1))
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

/// So many pieces of it; true when more may be there.
bool sandbox_link::read_log(int pieces) {
  std::array<char, log_piece_bytes> chunk;
  while (pieces-- > 0) {
    const ssize_t n = ::read(log_.native_handle(), chunk.data(), chunk.size());
    if (n == 0) { // Nobody holds the writing end any more.
      error_code ignored;
      log_.close(ignored);
    }
    if (n <= 0)
      return false;
    log_tail_.append(chunk.data(), static_cast<size_t>(n));
    if (log_tail_.size() > limits::log_tail_bytes)
      log_tail_.erase(0, log_tail_.size() - limits::log_tail_bytes);
    if (static_cast<size_t>(n) < chunk.size())
      return false;
  }
  return true;
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
