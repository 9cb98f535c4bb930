#include "actors/sandbox_link.hpp"

#include "config/limits.hpp"

#include <boost/asio/buffer.hpp>
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace troupe {

namespace asio = boost::asio;
using error_code = boost::system::error_code;

namespace {

constexpr size_t read_buffer_bytes = 16 * limits::kib;

} // namespace

std::shared_ptr<sandbox_link> sandbox_link::make(asio::io_context& io, handlers::sandbox_process& process, events to) {
  std::shared_ptr<sandbox_link> link{new sandbox_link{io, process, std::move(to)}};
  link->read_some();
  link->watch_log();
  return link;
}

sandbox_link::sandbox_link(asio::io_context& io, handlers::sandbox_process& process, events to)
  : to_handler_{io, process.events.release()},
    from_handler_{io, process.answers.release()},
    log_{io, process.log.release()},
    ending_{io},
    timer_{io},
    events_{std::move(to)},
    in_(read_buffer_bytes, '\0') {
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

void sandbox_link::read_some() {
  const auto free = asio::buffer(in_.data() + in_size_, in_.size() - in_size_);
  from_handler_.async_read_some(free, [self = shared_from_this()](error_code ec, size_t n) {
    if (!self->from_handler_.is_open())
      return;
    self->in_size_ += n;
    if (ec || !self->take_frames())
      self->fail();
    else if (self->from_handler_.is_open())
      self->read_some();
  });
}

bool sandbox_link::take_frames() {
  size_t at = 0;
  std::string_view rest{in_.data(), in_size_};
  auto prefix = wire::read_prefix(rest);
  while (prefix) {
    if (!wire::acceptable(*prefix))
      return false;
    if (rest.size() < prefix->total())
      break;
    const auto header = wire::decode_reply(rest.substr(wire::prefix_bytes, prefix->header_bytes));
    if (!header)
      return false;
    const auto payload = rest.substr(wire::prefix_bytes + prefix->header_bytes, prefix->payload_bytes);
    events_.on_reply({*header, std::string{payload}});
    at += prefix->total();
    rest.remove_prefix(prefix->total());
    prefix = wire::read_prefix(rest);
  }
  if (at > 0) {
    std::copy(in_.begin() + static_cast<std::ptrdiff_t>(at), in_.begin() + static_cast<std::ptrdiff_t>(in_size_),
              in_.begin());
    in_size_ -= at;
  }
  // A large answer gets a larger buffer as it arrives, not when it is announced; afterwards the small one is enough.
  const size_t frame = prefix ? prefix->total() : 0;
  size_t wanted = read_buffer_bytes;
  if (frame > read_buffer_bytes)
    wanted = in_size_ == in_.size() ? std::min(frame, 2 * in_size_) : in_.size();
  if (wanted != in_.size()) {
    in_.resize(wanted);
    in_.shrink_to_fit();
  }
  return true;
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
    self->read_log();
    if (self->log_.is_open())
      self->watch_log();
  });
}

void sandbox_link::read_log() {
  std::array<char, 16 * limits::kib> chunk;
  // Bounded, so that a handler that never stops writing cannot keep the thread.
  for (int round = 0; round < 4; ++round) {
    const ssize_t n = ::read(log_.native_handle(), chunk.data(), chunk.size());
    if (n == 0) { // Nobody holds the writing end any more.
      error_code ignored;
      log_.close(ignored);
      return;
    }
    if (n < 0)
      return;
    log_tail_.append(chunk.data(), static_cast<size_t>(n));
    if (log_tail_.size() > limits::log_tail_bytes)
      log_tail_.erase(0, log_tail_.size() - limits::log_tail_bytes);
  }
}

std::string sandbox_link::take_log() {
  if (log_.is_open())
    read_log();
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
