#include "tools/http_client.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url.hpp>

#include <fmt/core.h>

#include <algorithm>

namespace troupe::tools {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

/// How far an exchange came, for the error's text.
enum class phase { connecting, talking, done };

struct exchange_state {
  phase at = phase::connecting;
  http_answer answer;
};

http::request<http::string_body> make_request(const http_call& call, const std::string& authority,
                                              const std::string& tenant) {
  http::request<http::string_body> request{http::string_to_verb(call.method), call.target, 11};
  request.set(http::field::host, authority);
  request.set(http::field::user_agent, "troupe");
  request.set(http::field::connection, "close");
  if (!tenant.empty())
    request.set("X-Troupe-Tenant", tenant);
  for (const auto& [name, value] : call.headers)
    request.set(name, value);
  request.body() = call.body;
  request.prepare_payload();
  return request;
}

/// Runs on the io_context of send(); what it is given outlives it.
asio::awaitable<void> exchange(const http_client::address& to, const std::string& tenant, const http_call& call,
                               exchange_state& state) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver{executor};
  beast::tcp_stream stream{executor};
  stream.expires_after(limits::connect_time_max);
  const auto addresses = co_await resolver.async_resolve(to.host, to.port, asio::use_awaitable);
  co_await stream.async_connect(addresses, asio::use_awaitable);

  state.at = phase::talking;
  stream.expires_after(call.limit);
  const auto request = make_request(call, to.authority, tenant);
  boost::system::error_code unsent;
  co_await http::async_write(stream, request, asio::redirect_error(asio::use_awaitable, unsent));
  // A node may refuse a large body before it has read it all: then its answer is there although the rest was not
  // taken, and says more than the broken pipe.
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(limits::answer_bytes_max);
  boost::system::error_code unread;
  co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, unread));
  if (unread)
    throw boost::system::system_error{unsent ? unsent : unread};

  auto response = parser.release();
  state.answer.status = response.result_int();
  for (const auto& field : response)
    state.answer.headers.emplace_back(field.name_string(), field.value());
  state.answer.body = std::move(response.body());
  state.at = phase::done;
}

caf::error explain(const std::string& endpoint, phase at, const boost::system::error_code& code,
                   std::chrono::milliseconds limit) {
  const auto why = [&]() -> std::string {
    if (at == phase::connecting && code == asio::error::connection_refused)
      return fmt::format("no node at {}: start one with tools/up or troupe serve", endpoint);
    if (at == phase::connecting)
      return fmt::format("cannot reach a node at {}: {}", endpoint, code.message());
    if (code == beast::error::timeout)
      return fmt::format("no answer from {} within {} s", endpoint, limit.count() / 1000);
    if (code == http::error::end_of_stream || code == asio::error::connection_reset || code == asio::error::broken_pipe)
      return fmt::format("{} closed the connection without an answer", endpoint);
    return fmt::format("no answer from {}: {}", endpoint, code.message());
  }();
  return make_error(errc::unavailable, why);
}

} // namespace

std::string_view http_answer::header(std::string_view name) const noexcept {
  const auto is_named = [name](const auto& field) { return beast::iequals(field.first, name); };
  const auto found = std::find_if(headers.begin(), headers.end(), is_named);
  return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

caf::expected<http_client> http_client::make(std::string_view endpoint) {
  const auto parsed = boost::urls::parse_uri(endpoint);
  const bool is_plain = parsed && parsed->scheme() == "http" && !parsed->host().empty() && !parsed->has_userinfo()
                     && !parsed->has_query() && !parsed->has_fragment()
                     && (parsed->path().empty() || parsed->path() == "/");
  if (!is_plain)
    return make_error(errc::invalid_argument,
                      fmt::format("\"{}\" is not an endpoint such as http://127.0.0.1:8080", endpoint));
  http_client client;
  client.node_.host = parsed->host_address();
  client.node_.port = parsed->port().empty() ? "80" : std::string{parsed->port()};
  client.node_.authority = std::string{parsed->encoded_host_and_port()};
  return client;
}

caf::expected<http_answer> http_client::send(const http_call& call) const {
  asio::io_context context{1};
  exchange_state state;
  boost::system::error_code failure;
  asio::co_spawn(context, exchange(node_, tenant_, call, state), [&failure](const std::exception_ptr& thrown) {
    try {
      if (thrown)
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
      failure = error.code();
    }
  });
  context.run();
  if (state.at != phase::done)
    return explain(endpoint(), state.at, failure, call.limit);
  return std::move(state.answer);
}

std::string percent_encoded(std::string_view text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

} // namespace troupe::tools
