#define CAF_SUITE tools.http_client

#include "tools/http_client.hpp"

#include "config/errc.hpp"
#include "tools/lambda_api.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <fmt/core.h>

#include <caf/test/unit_test.hpp>

#include <thread>

using namespace troupe;
using namespace troupe::tools;

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// Takes one connection on a free port of the loopback, reads a request's header and answers as it was told.
class one_answer {
public:
  explicit one_answer(std::string answer)
    : thread_{[this, answer = std::move(answer)] {
        auto socket = acceptor_.accept();
        asio::streambuf request;
        boost::system::error_code ignored; // Of a client that leaves: that is what some tests are about.
        asio::read_until(socket, request, "\r\n\r\n", ignored);
        header_.assign(asio::buffers_begin(request.data()), asio::buffers_end(request.data()));
        asio::write(socket, asio::buffer(answer), ignored);
      }} {}

  std::string endpoint() const { return fmt::format("http://127.0.0.1:{}", acceptor_.local_endpoint().port()); }

  /// The header that was received; waits for the end of the exchange.
  const std::string& header() {
    thread_.join();
    return header_;
  }

  ~one_answer() {
    if (thread_.joinable())
      thread_.join();
  }

private:
  asio::io_context context_;
  tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::string header_;
  std::thread thread_; // Last: it uses what stands above.
};

http_call call_of(std::string target, std::chrono::milliseconds limit = std::chrono::seconds{10}) {
  http_call call;
  call.target = std::move(target);
  call.limit = limit;
  return call;
}

http_answer answer_of(int status, std::string body) {
  return {status, std::move(body), {}};
}

} // namespace

CAF_TEST(endpoints are http and nothing else) {
  const std::pair<std::string_view, std::string_view> right[] = {
    {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
    {"http://localhost:8080/", "http://localhost:8080"},
    {"http://[::1]:8080", "http://[::1]:8080"},
    {"http://node", "http://node"},
  };
  for (const auto& [text, endpoint] : right) {
    const auto client = http_client::make(text);
    CAF_REQUIRE(client);
    CAF_CHECK_EQUAL(client->endpoint(), endpoint);
  }
  for (const std::string_view text : {"", "127.0.0.1:8080", "https://127.0.0.1:8080", "http://", "http://a:b@c",
                                      "http://a/path", "http://a?x=1", "http://a#x", "http://a:port", "http://a b"}) {
    CAF_MESSAGE(text);
    CAF_CHECK(!http_client::make(text));
  }
}

CAF_TEST(an exchange brings status and header and body) {
  one_answer node{"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nX-Amz-Function-Error: Unhandled\r\n\r\nbody"};
  const auto answer = http_client::make(node.endpoint())->send(call_of("/a/b?c=d"));
  CAF_REQUIRE(answer);
  CAF_CHECK_EQUAL(answer->status, 201);
  CAF_CHECK_EQUAL(answer->body, "body");
  CAF_CHECK_EQUAL(answer->header("x-amz-function-error"), "Unhandled");
  CAF_CHECK_EQUAL(answer->header("none"), "");
  const auto& header = node.header();
  CAF_CHECK(header.starts_with("GET /a/b?c=d HTTP/1.1\r\n"));
  CAF_CHECK(header.find("Host: " + node.endpoint().substr(7) + "\r\n") != std::string::npos);
}

CAF_TEST(a client says for whom it speaks) {
  one_answer node{"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"};
  auto client = http_client::make(node.endpoint());
  CAF_REQUIRE(client);
  client->speak_for("acme");
  CAF_REQUIRE(client->send(call_of("/")));
  CAF_CHECK(node.header().find("X-Troupe-Tenant: acme\r\n") != std::string::npos);
}

CAF_TEST(chunked bodies are put together) {
  one_answer node{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"};
  const auto answer = http_client::make(node.endpoint())->send(call_of("/"));
  CAF_REQUIRE(answer);
  CAF_CHECK_EQUAL(answer->body, "abcde");
}

CAF_TEST(a refusal of a large body is seen although the body was not taken) {
  one_answer node{"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 22\r\nConnection: close\r\n\r\n"
                  R"({"Message":"too much"})"};
  auto call = call_of("/");
  call.method = "POST";
  call.body.assign(4096, 'x');
  const auto answer = http_client::make(node.endpoint())->send(call);
  CAF_REQUIRE(answer);
  const auto error = error_of(*answer);
  CAF_CHECK(code_of(error) == errc::payload_too_large);
  CAF_CHECK_EQUAL(what_of(error), "too much");
}

CAF_TEST(without a node there is one line that says what to do) {
  asio::io_context context;
  tcp::acceptor closed{context, {asio::ip::address_v4::loopback(), 0}};
  const auto endpoint = fmt::format("http://127.0.0.1:{}", closed.local_endpoint().port());
  closed.close();
  const auto answer = http_client::make(endpoint)->send(call_of("/"));
  CAF_REQUIRE(!answer);
  CAF_CHECK(code_of(answer.error()) == errc::unavailable);
  CAF_CHECK_EQUAL(what_of(answer.error()), "no node at " + endpoint + ": start one with tools/up or troupe serve");
}

CAF_TEST(a node that hangs up or speaks something else is an error) {
  for (const std::string bytes : {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "SSH-2.0-OpenSSH\r\n"}) {
    one_answer node{bytes};
    const auto answer = http_client::make(node.endpoint())->send(call_of("/"));
    CAF_REQUIRE(!answer);
    CAF_MESSAGE(what_of(answer.error()));
    CAF_CHECK(code_of(answer.error()) == errc::unavailable);
  }
}

CAF_TEST(a node that does not answer in time is an error) {
  asio::io_context context;
  tcp::acceptor silent{context, {asio::ip::address_v4::loopback(), 0}}; // The kernel accepts, nobody answers.
  const auto endpoint = fmt::format("http://127.0.0.1:{}", silent.local_endpoint().port());
  const auto answer = http_client::make(endpoint)->send(call_of("/", std::chrono::milliseconds{50}));
  CAF_REQUIRE(!answer);
  CAF_CHECK(code_of(answer.error()) == errc::unavailable);
}

CAF_TEST(errors of a node keep their meaning and words) {
  const std::tuple<int, std::string_view, errc, std::string_view> table[] = {
    {404, R"({"Type":"User","Message":"no such function"})", errc::function_not_found, "no such function"},
    {409, R"({"Message":"exists"})", errc::function_exists, "exists"},
    {400, R"({"message":"bad"})", errc::invalid_argument, "bad"},
    {429, R"({"errorType":"T","errorMessage":"full"})", errc::too_many_requests, "full"},
    {503, "", errc::unavailable, "the node answered with HTTP status 503"},
    {500, "<html>", errc::internal, "the node answered with HTTP status 500"},
    {302, "[]", errc::internal, "the node answered with HTTP status 302"},
  };
  for (const auto& [status, body, code, what] : table) {
    const auto error = error_of(answer_of(status, std::string{body}));
    CAF_CHECK(code_of(error) == code);
    CAF_CHECK_EQUAL(what_of(error), what);
  }
  CAF_CHECK(!error_of(answer_of(200, "")));
  CAF_CHECK(!error_of(answer_of(204, "")));
}

CAF_TEST(names are escaped in paths) {
  CAF_CHECK_EQUAL(percent_encoded("hello-1_2.x~"), "hello-1_2.x~");
  CAF_CHECK_EQUAL(percent_encoded("a/b:c $%?"), "a%2Fb%3Ac%20%24%25%3F");
}
