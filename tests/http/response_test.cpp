#define CAF_SUITE http.response

#include "http/response.hpp"

#include "http/json_text.hpp"
#include "http/time_text.hpp"

#include <caf/sec.hpp>

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::http;

namespace {

std::string head_of(const response& answer, framing how) {
  std::string out;
  append_head(out, answer, how, "Sat, 31 Jan 2026 12:00:00 GMT");
  return out;
}

std::string json_of(std::string_view text) {
  std::string out;
  append_json(out, text);
  return out;
}

} // namespace

CAF_TEST(a head ends where the body begins and says how long it is) {
  response answer;
  answer.body = "12345";
  const auto head = head_of(answer, {});
  CAF_CHECK(head.starts_with("HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n"));
  CAF_CHECK(head.ends_with("\r\n\r\n"));
  CAF_CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
  CAF_CHECK(head.find("Connection:") == std::string::npos);
}

CAF_TEST(every error of the node has a status line) {
  for (auto code = errc::invalid_argument; code <= errc::internal;
       code = static_cast<errc>(static_cast<int>(code) + 1)) {
    for (const auto speaks : {dialect::plain, dialect::lambda}) {
      response answer;
      set_error(answer, speaks, make_error(code, "why"));
      CAF_CHECK_EQUAL(answer.status, face_of(code).http_status);
      CAF_CHECK(head_of(answer, {}).starts_with("HTTP/1.1 " + std::to_string(answer.status) + " "));
      CAF_CHECK(head_of(answer, {}).find("<unknown") == std::string::npos);
      CAF_CHECK(answer.body.find("\"why\"") != std::string::npos);
    }
  }
}

CAF_TEST(an error of CAF shows nothing of the inside) {
  response answer;
  set_error(answer, dialect::plain, caf::error{caf::sec::unexpected_message});
  CAF_CHECK_EQUAL(answer.status, 500);
  CAF_CHECK_EQUAL(answer.body, R"({"errorType":"ServiceException","errorMessage":"internal error"})");
}

CAF_TEST(the value of a field cannot begin a line of its own) {
  response answer;
  answer.add_field("X", "a\r\nSet-Cookie: b");
  CAF_CHECK_EQUAL(answer.fields, "X: aSet-Cookie: b\r\n");
}

CAF_TEST(JSON texts are escaped and always UTF - 8) {
  CAF_CHECK_EQUAL(json_of("plain"), "\"plain\"");
  CAF_CHECK_EQUAL(json_of("\"\\\n\r\t\x01\x7f"), "\"\\\"\\\\\\n\\r\\t\\u0001\x7f\"");
  CAF_CHECK_EQUAL(json_of("\xc3\xbc \xe2\x82\xac \xf0\x9f\x8e\xad"), "\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x8e\xad\"");
  const std::string replaced = "\xef\xbf\xbd";
  CAF_CHECK_EQUAL(json_of("\xff"), "\"" + replaced + "\"");
  CAF_CHECK_EQUAL(json_of("\xc3"), "\"" + replaced + "\"");
  CAF_CHECK_EQUAL(json_of("\xc0\xaf"), "\"" + replaced + replaced + "\"");
  CAF_CHECK_EQUAL(json_of("\xed\xa0\x80"), "\"" + replaced + replaced + replaced + "\"");
  CAF_CHECK_EQUAL(json_of("\xe2\x82x"), "\"" + replaced + replaced + "x\"");
}

CAF_TEST(times are those of the calendar) {
  const std::chrono::milliseconds time{1'769'860'800'007};
  CAF_CHECK_EQUAL(rfc3339(time), "2026-01-31T12:00:00.007Z");
  CAF_CHECK_EQUAL(aws_time(time), "2026-01-31T12:00:00.007+0000");
  CAF_CHECK_EQUAL(rfc3339_hour(491'628), "2026-01-31T12:00:00Z");
  CAF_CHECK_EQUAL(rfc3339(std::chrono::milliseconds{-1}), "1969-12-31T23:59:59.999Z");
  CAF_CHECK_EQUAL(http_date(std::chrono::system_clock::time_point{time}), "Sat, 31 Jan 2026 12:00:00 GMT");
}
