#include "actors/cluster/channel.hpp"

#include "actors/cluster/tls.hpp"

#include "config/limits.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include <array>

namespace troupe::cluster {

namespace asio = boost::asio;
using asio::redirect_error;

namespace {

template <class Stream>
std::variant<tcp_socket, Stream> stream_over(tcp_socket socket, asio::ssl::context* tls) {
  if (!tls)
    return std::variant<tcp_socket, Stream>{std::in_place_index<0>, std::move(socket)};
  return std::variant<tcp_socket, Stream>{std::in_place_index<1>, std::move(socket), *tls};
}

} // namespace

std::shared_ptr<channel> channel::make(tcp_socket socket, asio::ssl::context* tls) {
  return std::shared_ptr<channel>{new channel{std::move(socket), tls}};
}

channel::channel(tcp_socket socket, asio::ssl::context* tls)
  : stream_{stream_over<tls_stream>(std::move(socket), tls)},
    deadline_{this->socket().get_executor()},
    waker_{this->socket().get_executor(), io_timer::time_point::max()} {}

tcp_socket& channel::socket() noexcept {
  if (auto* plain = std::get_if<tcp_socket>(&stream_))
    return *plain;
  return std::get_if<tls_stream>(&stream_)->next_layer();
}

void channel::close_after(std::chrono::milliseconds time) {
  time_allowed_ = time;
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this()](const error_code& problem) {
    const auto self = weak.lock();
    if (problem || !self || self->closed_ || self->deadline_.expiry() > io_timer::clock_type::now())
      return;
    self->timed_out_ = true;
    self->close();
  });
}

void channel::stay() {
  deadline_.expires_at(io_timer::time_point::max());
}

void channel::close() {
  closed_ = true;
  error_code ignored; // The descriptor is gone in any case.
  socket().close(ignored);
  deadline_.cancel();
  wake();
}

task<void> channel::sleep() {
  error_code ignored; // It always ends by being cut short.
  co_await waker_.async_wait(redirect_error(use_task, ignored));
}

void channel::wake() {
  waker_.expires_at(io_timer::time_point::min());
}

task<error_code> channel::secure(direction side) {
  error_code problem;
  if (auto* tls = std::get_if<tls_stream>(&stream_)) {
    const auto kind = side == direction::accepted ? asio::ssl::stream_base::server : asio::ssl::stream_base::client;
    co_await tls->async_handshake(kind, redirect_error(use_task, problem));
  }
  co_return problem;
}

std::optional<std::string> channel::certificate_name() {
  if (auto* tls = std::get_if<tls_stream>(&stream_))
    return cluster::certificate_name(tls->native_handle());
  return std::nullopt;
}

task<error_code> channel::read(asio::mutable_buffer whole) {
  error_code problem;
  auto token = redirect_error(use_task, problem);
  co_await std::visit([&](auto& stream) { return asio::async_read(stream, whole, token); }, stream_);
  co_return problem;
}

task<error_code> channel::write(const std::string& whole) {
  error_code problem;
  auto token = redirect_error(use_task, problem);
  co_await std::visit([&](auto& stream) { return asio::async_write(stream, asio::buffer(whole), token); }, stream_);
  co_return problem;
}

task<size_t> channel::read_some(asio::mutable_buffer into, error_code& problem) {
  auto token = redirect_error(use_task, problem);
  co_return co_await std::visit([&](auto& stream) { return stream.async_read_some(into, token); }, stream_);
}

task<size_t> channel::write_some(asio::const_buffer from, error_code& problem) {
  auto token = redirect_error(use_task, problem);
  co_return co_await std::visit([&](auto& stream) { return stream.async_write_some(from, token); }, stream_);
}

task<error_code> channel::await_bytes(std::string& taken) {
  error_code problem;
  if (has_tls()) {
    taken.resize(limits::link_buffer_bytes);
    const auto size = co_await read_some(asio::buffer(taken), problem);
    taken.resize(size);
    taken.shrink_to_fit();
    co_return problem;
  }
  co_await socket().async_wait(tcp_socket::wait_read, redirect_error(use_task, problem));
  char first = 0; // An end of the connection is readable, too.
  if (!problem)
    socket().receive(asio::buffer(&first, 1), tcp_socket::message_peek, problem);
  co_return problem;
}

task<void> channel::part() {
  error_code problem;
  socket().shutdown(tcp_socket::shutdown_send, problem);
  std::array<char, limits::hello_bytes_max> unread;
  for (int round = 0; round < 16 && !problem; ++round) // Who goes on sending is hung up on.
    co_await socket().async_read_some(asio::buffer(unread), redirect_error(use_task, problem));
}

std::string channel::words(const error_code& problem) {
  if (timed_out_)
    return "did not complete the handshake within " + std::to_string(time_allowed_.count()) + " ms";
  if (auto* tls = std::get_if<tls_stream>(&stream_))
    if (auto text = tls_problem(tls->native_handle(), problem))
      return *text;
  if (problem == asio::error::eof || problem == asio::error::connection_reset || problem == asio::error::broken_pipe
      || problem == asio::ssl::error::stream_truncated)
    return "hung up during the handshake: is TLS on with both nodes or with none?";
  return "cannot be talked to: " + problem.message();
}

} // namespace troupe::cluster
