#include "http/response.hpp"

#include "http/json_text.hpp"

#include <boost/beast/http/status.hpp>

#include <charconv>

namespace troupe::http {

namespace {

/// What browsers need to let a page of any origin call functions and read the answers; the node's security does not
/// rest on origins. OpenLambda's list of request headers, and what AWS's SDKs send from a browser.
constexpr std::string_view constant_fields =
  "Access-Control-Allow-Origin: *\r\n"
  "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"
  "Access-Control-Allow-Headers: Content-Type, Content-Range, Content-Disposition, Content-Description, "
  "X-Requested-With, Authorization, X-Amz-Client-Context, X-Amz-Content-Sha256, X-Amz-Date, X-Amz-Invocation-Type, "
  "X-Amz-Log-Type, X-Amz-Security-Token, X-Amz-User-Agent, Amz-Sdk-Invocation-Id, Amz-Sdk-Request, "
  "X-Troupe-Tenant, Idempotency-Key\r\n"
  "Access-Control-Expose-Headers: X-Amz-Executed-Version, X-Amz-Function-Error, X-Amz-Log-Result, X-Amzn-ErrorType, "
  "X-Amzn-RequestId, Retry-After\r\n";

constexpr std::string_view retry_after_s = "1";

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// Which limit was reached, in AWS's words, when the error says it.
void append_reason(std::string& body, std::string_view name, const caf::error& error) {
  const auto limit = throttle_of(error);
  if (!limit)
    return;
  body += ',';
  append_json(body, name);
  body += ':';
  append_json(body, face_of(*limit).aws_reason);
}

void append_status_line(std::string& out, int status) {
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
    return;
  }
  out += "HTTP/1.1 ";
  append_number(out, static_cast<uint64_t>(status));
  out += ' ';
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  out.append(reason.data(), reason.size());
  out += "\r\n";
}

} // namespace

void response::restart() {
  status = 200;
  content_type = json_type;
  fields.clear();
  body.clear();
}

void response::add_field(std::string_view name, std::string_view value) {
  fields += name;
  fields += ": ";
  for (const char c : value)
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
      fields += c;
  fields += "\r\n";
}

void set_error(response& out, dialect speaks, const caf::error& error) {
  const auto code = code_of(error);
  const auto face = face_of(code);
  const auto what = what_of(error);
  out.restart();
  out.status = face.http_status;
  const auto type = std::string{face.aws_type} + "Exception";
  if (speaks == dialect::plain) {
    out.body = "{\"errorType\":";
    append_json(out.body, type);
    out.body += ",\"errorMessage\":";
    append_json(out.body, what);
    append_reason(out.body, "reason", error);
    out.body += "}";
  } else {
    out.add_field("X-Amzn-ErrorType", type);
    out.body = face.http_status < 500 ? "{\"Type\":\"User\",\"Message\":" : "{\"Type\":\"Service\",\"Message\":";
    append_json(out.body, what);
    append_reason(out.body, "Reason", error);
    out.body += "}";
  }
  if (face.http_status == 429 || face.http_status == 502 || face.http_status == 503)
    out.add_field("Retry-After", retry_after_s);
}

void append_head(std::string& out, const response& answer, framing how, std::string_view date) {
  append_status_line(out, answer.status);
  out += "Date: ";
  out += date;
  out += "\r\n";
  out += constant_fields;
  if (!answer.content_type.empty()) {
    out += "Content-Type: ";
    out += answer.content_type;
    out += "\r\n";
  }
  if (answer.status != 204) { // RFC 9110, 8.6
    out += "Content-Length: ";
    append_number(out, answer.body.size());
    out += "\r\n";
  }
  out += answer.fields;
  if (!how.keep_alive)
    out += "Connection: close\r\n";
  else if (!how.http_1_1)
    out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

} // namespace troupe::http
