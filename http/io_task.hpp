#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

/// Asio's types bound to the io thread's executor. The stock ones carry any executor, and pay for that with an
/// indirect call and often an allocation at every step of a coroutine.
namespace troupe::http {

using io_executor = boost::asio::io_context::executor_type;

/// A coroutine on the io thread.
template <class T>
using task = boost::asio::awaitable<T, io_executor>;

inline constexpr boost::asio::use_awaitable_t<io_executor> use_task;

using tcp_socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, io_executor>;
using tcp_acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, io_executor>;
using io_timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                   boost::asio::wait_traits<std::chrono::steady_clock>, io_executor>;

} // namespace troupe::http
