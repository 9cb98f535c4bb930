#include "http/request_reader.hpp"

#include "config/limits.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstring>

namespace troupe::http {

namespace {

namespace beast = boost::beast;
using beast_error = beast::http::error;

constexpr std::string_view last_chunk = "0\r\n\r\n";

/// What is wrong with the line ends of a header, or null. Beast unfolds a value that goes on in the next line, and
/// servers disagree about such lines; the RFC (9112, 5.2) lets a server refuse them.
const char* fault_of_lines(std::string_view raw) {
  for (size_t at = raw.find('\n'); at != std::string_view::npos; at = raw.find('\n', at + 1)) {
    if (at == 0 || raw[at - 1] != '\r')
      return "a line of the header does not end with CR LF";
    if (at + 1 < raw.size() && (raw[at + 1] == ' ' || raw[at + 1] == '\t'))
      return "a header field goes on in the next line";
  }
  return nullptr;
}

void clip(std::string& text) {
  text.clear();
  if (text.capacity() > limits::kept_buffer_bytes_max)
    text.shrink_to_fit();
}

void assign(std::string& to, beast::string_view from) {
  to.assign(from.data(), from.size());
}

} // namespace

void request_reader::parser::on_request_impl(beast::http::verb method, text, text target, int version, error_code&) {
  auto& request = reader_.request_;
  request.method = method;
  assign(request.target, target);
  request.http_1_1 = version == 11;
}

void request_reader::parser::on_field_impl(field name, text name_text, text value, error_code&) {
  if (reader_.state_ != progress::header)
    return; // A trailer: nothing in it may change what was decided by the header.
  auto& request = reader_.request_;
  switch (name) {
    case field::host: ++reader_.hosts_; break;
    case field::content_length:
      ++reader_.lengths_;
      if (!std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }))
        reader_.refusal_ = "Content-Length is not one number";
      break;
    case field::transfer_encoding:
      ++reader_.encodings_;
      if (!beast::iequals(value, "chunked"))
        reader_.refusal_ = "the only Transfer-Encoding known is chunked";
      break;
    case field::expect: request.expects_continue = beast::iequals(value, "100-continue"); break;
    case field::unknown:
      if (name_text.size() < 14)
        break;
      if ((name_text[0] | 0x20) == 'i' && beast::iequals(name_text, "Idempotency-Key"))
        request.has_idempotency_key = !value.empty();
      if ((name_text[0] | 0x20) != 'x')
        break;
      if (beast::iequals(name_text, "X-Amz-Invocation-Type"))
        assign(request.invocation_type, value);
      else if (beast::iequals(name_text, "X-Amz-Log-Type"))
        assign(request.log_type, value);
      else if (beast::iequals(name_text, "X-Amz-Client-Context"))
        assign(request.client_context, value);
      else if (beast::iequals(name_text, "X-Troupe-Tenant")) {
        ++reader_.tenants_;
        assign(request.tenant, value);
      }
      break;
    default: break; // Beast knows some 350 names; the others mean nothing to the node.
  }
}

void request_reader::parser::on_body_init_impl(const boost::optional<uint64_t>& bytes, error_code&) {
  // What a client announces is not taken at its word: more is reserved when that much has arrived.
  if (bytes)
    reader_.request_.body.reserve(std::min<uint64_t>(*bytes, limits::kept_buffer_bytes_max));
}

size_t request_reader::parser::on_body_impl(text bytes, error_code& error) {
  auto& body = reader_.request_.body;
  if (bytes.size() > reader_.body_bytes_max_ - body.size()) {
    error = beast_error::body_limit;
    return 0;
  }
  // All the rest at once: a body that grows by doubling is copied each time, to pages that cost more than the copy.
  if (const auto left = content_length_remaining(); left && body.size() + bytes.size() > body.capacity())
    body.reserve(body.size() + *left);
  body.append(bytes.data(), bytes.size());
  return bytes.size();
}

void request_reader::parser::on_chunk_header_impl(uint64_t bytes, text, error_code& error) {
  if (bytes > reader_.body_bytes_max_ - reader_.request_.body.size())
    error = beast_error::body_limit;
}

size_t request_reader::parser::on_chunk_body_impl(uint64_t, text bytes, error_code& error) {
  return on_body_impl(bytes, error);
}

request_reader::request_reader() {
  restart();
}

void request_reader::restart() {
  parser_.emplace(*this);
  parser_->header_limit(limits::header_bytes_max);
  parser_->body_limit(boost::none); // The route decides, and it is not known before the header is.
  parser_->eager(false);
  request_.target.clear();
  request_.invocation_type.clear();
  request_.log_type.clear();
  request_.client_context.clear();
  request_.tenant.clear();
  request_.body.clear();
  request_.expects_continue = false;
  request_.has_idempotency_key = false;
  state_ = progress::header;
  header_bytes_ = 0;
  skipped_line_ = false;
  hosts_ = lengths_ = encodings_ = tenants_ = 0;
  refusal_ = nullptr;
}

void request_reader::trim() {
  clip(request_.body);
}

void request_reader::fail(errc code, std::string what) {
  problem_ = make_error(code, std::move(what));
  state_ = progress::failed;
}

size_t request_reader::feed(std::string_view bytes) {
  size_t used = 0;
  if (state_ == progress::header && !parser_->got_some() && !skipped_line_) {
    if (bytes == "\r")
      return 0; // Too little to tell.
    if (bytes.starts_with("\r\n"))
      used = 2; // Some clients end a body with a line of its own (RFC 9112, 2.2): one is passed over.
    skipped_line_ = used > 0;
  }
  if (used == bytes.size() || (state_ != progress::header && state_ != progress::body))
    return used;
  // Beast 1.81 asserts that it sees the last chunk whole, which begins with a zero, or with the line end of the chunk
  // before. At least its five bytes are still to come then, so that waiting for them keeps nothing back for ever.
  if (state_ == progress::body && parser_->chunked() && bytes.size() < last_chunk.size()
      && (bytes.front() == '0' || bytes.front() == '\r'))
    return used;
  const auto rest = bytes.substr(used);
  beast::error_code error;
  const size_t parsed = parser_->put({rest.data(), rest.size()}, error);
  used += parsed;
  if (state_ == progress::header) {
    if (const char* fault = fault_of_lines(rest.substr(0, parsed)); fault && !refusal_)
      refusal_ = fault;
    // Beast's own limit is for what it gets at one time, and a header may come in pieces.
    header_bytes_ += parsed;
    if (header_bytes_ > limits::header_bytes_max)
      error = beast_error::header_limit;
    if (!error && parser_->is_header_done())
      finish_header();
  } else if (!error && parser_->is_done()) {
    state_ = progress::done;
  }
  if (!error || error == beast_error::need_more || state_ == progress::failed)
    return used;
  if (error == beast_error::header_limit)
    fail(errc::headers_too_large, "the header is larger than " + std::to_string(limits::header_bytes_max) + " bytes");
  else if (error == beast_error::body_limit)
    fail(errc::payload_too_large, "the body is larger than " + std::to_string(body_bytes_max_) + " bytes");
  else
    fail(errc::invalid_argument, "malformed HTTP request: " + (refusal_ ? std::string{refusal_} : error.message()));
  return used;
}

void request_reader::finish_header() {
  request_.keep_alive = parser_->keep_alive();
  if (hosts_ > 1 || (hosts_ == 0 && request_.http_1_1))
    refusal_ = "a request has exactly one Host field";
  if (lengths_ + encodings_ > 1)
    refusal_ = "more than one field says where the body ends";
  if (tenants_ > 1)
    refusal_ = "more than one X-Troupe-Tenant field";
  if (encodings_ > 0 && !request_.http_1_1)
    refusal_ = "HTTP/1.0 knows no Transfer-Encoding";
  if (refusal_)
    fail(errc::invalid_argument, std::string{"malformed HTTP request: "} + refusal_);
  else
    state_ = progress::decision;
}

void request_reader::accept(size_t body_bytes_max) {
  body_bytes_max_ = body_bytes_max;
  if (parser_->is_done()) {
    state_ = progress::done;
    return;
  }
  if (body_bytes_left().value_or(0) > body_bytes_max) {
    fail(errc::payload_too_large, "the body is larger than " + std::to_string(body_bytes_max) + " bytes");
    return;
  }
  parser_->eager(true);
  state_ = progress::body;
}

bool request_reader::has_body() const {
  return !parser_->is_done();
}

std::optional<uint64_t> request_reader::body_bytes_left() const {
  if (!parser_->is_header_done())
    return std::nullopt;
  if (const auto bytes = parser_->content_length_remaining())
    return *bytes;
  return std::nullopt;
}

} // namespace troupe::http
