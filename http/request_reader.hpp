#pragma once

#include "config/errc.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/verb.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::http {

/// A request, as far as the node looks at it. The strings keep their capacity from one request to the next.
struct request {
  boost::beast::http::verb method = boost::beast::http::verb::unknown;
  std::string target;          ///< as sent, percent-encoded
  std::string invocation_type; ///< X-Amz-Invocation-Type
  std::string log_type;        ///< X-Amz-Log-Type
  std::string client_context;  ///< X-Amz-Client-Context, base64
  bool has_idempotency_key = false;
  std::string tenant; ///< X-Troupe-Tenant, not checked (http/tenant.hpp); empty: none
  std::string body;
  bool http_1_1 = true;
  bool keep_alive = true;
  bool expects_continue = false;
};

/// Reads one request after the other from bytes that somebody else receives, without sockets or clocks. Beast parses;
/// what it lets pass and servers are known to disagree about (request smuggling) is refused here.
/// Owned by one session, used on its thread.
class request_reader {
public:
  enum class progress : uint8_t {
    header,   ///< wants bytes of the header
    decision, ///< the header is complete: call `accept` to go on
    body,     ///< wants bytes of the body
    done,     ///< the request is complete
    failed,   ///< see `problem`; no further request can be read from these bytes
  };

  request_reader();

  /// Begins the next request.
  void restart();

  /// Takes bytes and answers how many were used. What is left has to be presented again: together with more bytes
  /// while `state` is header or body, and unchanged after a decision or the next restart.
  size_t feed(std::string_view bytes);

  /// Goes on from `decision` to the body, of at most that many bytes, or to `done` when there is none.
  void accept(size_t body_bytes_max);

  progress state() const noexcept { return state_; }

  /// Why it failed: headers_too_large, payload_too_large or invalid_argument, with a line for the client.
  const caf::error& problem() const noexcept { return problem_; }

  /// At `decision`: whether bytes of a body follow the header.
  bool has_body() const;

  /// How many bytes of the body are still to come, when the client has said so.
  std::optional<uint64_t> body_bytes_left() const;

  /// Lets go of capacity beyond what a connection may keep.
  void trim();

  request& get() noexcept { return request_; }
  const request& get() const noexcept { return request_; }

private:
  /// Beast's parser with ours as its sink; it cannot be used twice, so it is made anew in place.
  class parser final : public boost::beast::http::basic_parser<true> {
  public:
    explicit parser(request_reader& reader) : reader_{reader} {}

  private:
    using error_code = boost::beast::error_code;
    using field = boost::beast::http::field;
    using text = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb method, text name, text target, int version, error_code&) override;
    void on_response_impl(int, text, int, error_code&) override {}
    void on_field_impl(field name, text name_text, text value, error_code&) override;
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<uint64_t>& bytes, error_code&) override;
    size_t on_body_impl(text bytes, error_code& error) override;
    void on_chunk_header_impl(uint64_t bytes, text extensions, error_code& error) override;
    size_t on_chunk_body_impl(uint64_t remaining, text bytes, error_code& error) override;
    void on_finish_impl(error_code&) override {}

    request_reader& reader_;
  };

  void fail(errc code, std::string what);
  void finish_header();

  request request_;
  std::optional<parser> parser_;
  progress state_ = progress::header;
  caf::error problem_;
  size_t body_bytes_max_ = 0;
  size_t header_bytes_ = 0;   ///< of this request until now
  bool skipped_line_ = false; ///< the empty line that may stand before it
  // What the header held of the fields that say where a request ends and for whom it is.
  uint32_t hosts_ = 0;
  uint32_t lengths_ = 0;
  uint32_t encodings_ = 0;
  uint32_t tenants_ = 0;
  const char* refusal_ = nullptr;
};

} // namespace troupe::http
