#define CAF_SUITE http.query

#include "http/query.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::http;

namespace {

std::string problem_of(const caf::error& error) {
  return error ? what_of(error) : "none";
}

} // namespace

CAF_TEST(names and values are decoded) {
  const auto all = query::parse("a=1&b%20c=x+y%2Bz&empty=&flag");
  CAF_REQUIRE(all.engaged());
  CAF_CHECK_EQUAL(all->text("a"), "1");
  CAF_CHECK_EQUAL(all->text("b c"), "x y+z");
  CAF_CHECK_EQUAL(all->text("empty"), "");
  CAF_CHECK(all->find("flag") != nullptr);
  CAF_CHECK(all->find("absent") == nullptr);
}

CAF_TEST(an empty query has nothing in it) {
  const auto none = query::parse("");
  CAF_REQUIRE(none.engaged());
  CAF_CHECK(none->find("") == nullptr);
  CAF_CHECK(!none->refuse_others({}));
}

CAF_TEST(what is malformed or comes twice is refused) {
  CAF_CHECK_EQUAL(problem_of(query::parse("a=%zz").error()), "the query string is malformed");
  CAF_CHECK_EQUAL(problem_of(query::parse("a=1&a=2").error()), "query parameter 'a' comes twice");
}

CAF_TEST(numbers are whole and within their bounds) {
  const auto all = query::parse("n=10&low=-1&text=1x&empty=&huge=99999999999999999999");
  CAF_REQUIRE(all.engaged());
  const auto number = all->number("n", 5, 0, 10);
  CAF_REQUIRE(number.engaged());
  CAF_CHECK_EQUAL(*number, 10);
  const auto absent = all->number("absent", 5, 0, 10);
  CAF_REQUIRE(absent.engaged());
  CAF_CHECK_EQUAL(*absent, 5);
  for (const char* bad : {"low", "text", "empty", "huge"})
    CAF_CHECK_EQUAL(problem_of(all->number(bad, 5, 0, 10).error()),
                    "query parameter '" + std::string{bad} + "' must be a number from 0 to 10");
}

CAF_TEST(ids are those of invocations) {
  const auto id = uuid::make();
  const auto all = query::parse("after=" + id.to_string() + "&bad=1234");
  CAF_REQUIRE(all.engaged());
  CAF_CHECK(*all->id("after") == id);
  CAF_CHECK(all->id("absent")->is_nil());
  CAF_CHECK_EQUAL(problem_of(all->id("bad").error()), "query parameter 'bad' must be the id of an invocation");
}

CAF_TEST(unknown names are refused by those who know all) {
  const auto all = query::parse("function=f&untill=3");
  CAF_REQUIRE(all.engaged());
  CAF_CHECK_EQUAL(problem_of(all->refuse_others({"function", "until"})), "query parameter 'untill' is not known here");
  CAF_CHECK(!all->refuse_others({"function", "untill"}));
}
