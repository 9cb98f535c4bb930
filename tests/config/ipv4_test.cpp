#define CAF_SUITE config.ipv4

#include "config/ipv4.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe::config;

CAF_TEST(ranges are read and printed) {
  const auto range = parse_ipv4_range("10.221.0.0/16");
  CAF_REQUIRE(range);
  CAF_CHECK_EQUAL(range->first, 0x0add0000u);
  CAF_CHECK_EQUAL(range->last(), 0x0addffffu);
  CAF_CHECK_EQUAL(range->size(), 65'536u);
  CAF_CHECK_EQUAL(format_ipv4_range(*range), "10.221.0.0/16");
  CAF_CHECK(parse_ipv4_range("192.0.2.1") == (ipv4_range{0xc0000201, 32}));
  CAF_CHECK(parse_ipv4_range("0.0.0.0/0") == (ipv4_range{0, 0}));
  CAF_CHECK_EQUAL(parse_ipv4_range("0.0.0.0/0")->last(), 0xffffffffu);
  CAF_CHECK_EQUAL(format_ipv4(0xffffffff), "255.255.255.255");
}

CAF_TEST(what is no range is refused) {
  for (const char* text : {"", "10", "10.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/24", "/8", "::/0",
                           "10.0.0.256", " 10.0.0.0/8", "10.0.0.0/8/8", "10.0.0.0/008000000000000"}) {
    CAF_MESSAGE(text);
    CAF_CHECK(!parse_ipv4_range(text));
  }
  CAF_CHECK(!parse_ipv4_range(std::string_view{"10.0.0.0\0", 9}));
}

CAF_TEST(lists are separated by commas) {
  CAF_CHECK(parse_ipv4_ranges("")->empty());
  CAF_CHECK(parse_ipv4_ranges("  ")->empty());
  CAF_CHECK_EQUAL(parse_ipv4_ranges("10.0.0.0/8,192.0.2.1 , 172.16.0.0/12")->size(), 3u);
  for (const char* text : {",", "10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8 192.0.2.1"})
    CAF_CHECK(!parse_ipv4_ranges(text));
}

CAF_TEST(ranges overlap when they share an address) {
  const auto range = *parse_ipv4_range("10.221.0.0/16");
  for (const char* text : {"10.0.0.0/8", "10.221.0.0/16", "10.221.255.255", "0.0.0.0/0"})
    CAF_CHECK(range.overlaps(*parse_ipv4_range(text)));
  for (const char* text : {"10.220.0.0/16", "10.222.0.0/15", "192.0.2.0/24"})
    CAF_CHECK(!range.overlaps(*parse_ipv4_range(text)));
}
