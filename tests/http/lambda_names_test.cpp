#define CAF_SUITE http.lambda_names

#include "http/lambda_names.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::http;

namespace {

struct name_case {
  std::string_view text;
  std::string_view qualifier;
  errc problem;
  std::string_view name;
};

constexpr name_case cases[] = {
  {"hello", "", errc::none, "hello"},
  {"a-b_C9", "", errc::none, "a-b_C9"},
  {"hello:$LATEST", "", errc::none, "hello"},
  {"hello", "$LATEST", errc::none, "hello"},
  {"hello:$LATEST", "$LATEST", errc::none, "hello"},
  {"function:hello", "", errc::none, "hello"},
  {"000000000000:function:hello", "", errc::none, "hello"},
  {"000000000000:function:hello:$LATEST", "", errc::none, "hello"},
  {"arn:aws:lambda:local:000000000000:function:hello", "", errc::none, "hello"},
  {"arn:aws:lambda:local:000000000000:function:hello:$LATEST", "", errc::none, "hello"},
  {"hello:prod", "", errc::function_not_found, ""},
  {"hello:1", "", errc::function_not_found, ""},
  {"hello", "1", errc::function_not_found, ""},
  {"hello:1", "2", errc::invalid_argument, ""},
  {"hello:$LATEST", "1", errc::invalid_argument, ""},
  {"arn:aws:lambda:eu-west-1:000000000000:function:hello", "", errc::function_not_found, ""},
  {"arn:aws:lambda:local:123456789012:function:hello", "", errc::function_not_found, ""},
  {"123456789012:function:hello", "", errc::function_not_found, ""},
  {"", "", errc::invalid_argument, ""},
  {"hello:", "", errc::invalid_argument, ""},
  {"hello:$latest", "", errc::invalid_argument, ""},
  {"hello:a:b", "", errc::invalid_argument, ""},
  {"a/b", "", errc::invalid_argument, ""},
  {"..", "", errc::invalid_argument, ""},
  {"a b", "", errc::invalid_argument, ""},
  {"h\xc3\xa4llo", "", errc::invalid_argument, ""},
  {"arn:aws:lambda:local:000000000000:function:", "", errc::invalid_argument, ""},
};

} // namespace

CAF_TEST(all forms of a name lead to the function) {
  for (const auto& c : cases) {
    CAF_MESSAGE(c.text);
    const auto ref = parse_function_ref(c.text, c.qualifier);
    CAF_CHECK_EQUAL(name_of(ref ? errc::none : code_of(ref.error())), name_of(c.problem));
    if (ref)
      CAF_CHECK_EQUAL(ref->name, std::string{c.name});
  }
}

CAF_TEST(names have 64 characters at most) {
  CAF_CHECK(is_function_name(std::string(64, 'x')));
  CAF_CHECK(!is_function_name(std::string(65, 'x')));
  CAF_CHECK(!is_function_name(std::string("a\0b", 3)));
}

CAF_TEST(a function is found by its own ARN) {
  const auto ref = parse_function_ref(function_arn("hello"), {});
  CAF_REQUIRE(ref.engaged());
  CAF_CHECK_EQUAL(ref->name, "hello");
  CAF_CHECK_EQUAL(ref->qualifier, "");
}
