#define CAF_SUITE config.logging

#include "config/logging.hpp"

#include <caf/test/unit_test.hpp>

using troupe::config::json_escaped;

CAF_TEST(JSON text is escaped and always UTF - 8) {
  const std::pair<std::string_view, std::string_view> table[] = {
    {"", ""},
    {"plain", "plain"},
    {"a\"b\\c", "a\\\"b\\\\c"},
    {"line\nnext\t\x01", "line\\u000anext\\u0009\\u0001"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\xad", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\xad"},
    {"\xff", "\xef\xbf\xbd"},                                                 // never in UTF-8
    {"\xc3", "\xef\xbf\xbd"},                                                 // cut short
    {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                                 // overlong
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 // a surrogate
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // beyond U+10FFFF
  };
  for (const auto& [text, escaped] : table)
    CAF_CHECK_EQUAL(json_escaped(text), escaped);
}
