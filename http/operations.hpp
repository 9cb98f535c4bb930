#pragma once

#include "http/node_context.hpp"

#include <boost/asio/awaitable.hpp>

/// What operators, browsers and the billing tool ask of a node.
namespace troupe::http {

boost::asio::awaitable<void> preflight(node_context& node, exchange& x); ///< OPTIONS: 204 and the CORS fields
boost::asio::awaitable<void> index(node_context& node, exchange& x);     ///< what this is, and where things are
boost::asio::awaitable<void> health(node_context& node, exchange& x);    ///< 200 while the process lives
boost::asio::awaitable<void> readiness(node_context& node, exchange& x); ///< 200 when it takes invocations, else 503
boost::asio::awaitable<void> metrics(node_context& node, exchange& x);

/// Records and sums. What a client has been answered is in them: the worker hands its records over first.
boost::asio::awaitable<void> list_invocations(node_context& node, exchange& x);
boost::asio::awaitable<void> list_usage(node_context& node, exchange& x);
boost::asio::awaitable<void> verify_usage(node_context& node, exchange& x);

} // namespace troupe::http
