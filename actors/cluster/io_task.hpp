#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

/// Asio's types bound to the executor of the cluster's io_context, as http/io_task.hpp has them for its own.
namespace troupe::cluster {

using boost::system::error_code;

using io_executor = boost::asio::io_context::executor_type;

/// A coroutine on the thread that runs the io_context.
template <class T>
using task = boost::asio::awaitable<T, io_executor>;

inline constexpr boost::asio::use_awaitable_t<io_executor> use_task;

using tcp_socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, io_executor>;
using tcp_acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, io_executor>;
using local_socket = boost::asio::basic_stream_socket<boost::asio::local::stream_protocol, io_executor>;
using io_timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                   boost::asio::wait_traits<std::chrono::steady_clock>, io_executor>;

} // namespace troupe::cluster
