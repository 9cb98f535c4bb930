#define CAF_SUITE config.throttle

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

#include <set>

using namespace troupe;

CAF_TEST(every limit has words and a reason of AWS) {
  // Those of the enum ThrottleReason in AWS's model.
  const std::set<std::string_view> reasons{"ConcurrentInvocationLimitExceeded", "FunctionInvocationRateLimitExceeded",
                                           "ReservedFunctionConcurrentInvocationLimitExceeded",
                                           "CallerRateLimitExceeded"};
  std::set<std::string_view> names;
  std::set<std::string_view> lines;
  for (size_t i = 0; i < throttle_count; ++i) {
    const auto face = face_of(static_cast<throttle>(i));
    CAF_MESSAGE(face.name);
    CAF_CHECK(names.insert(face.name).second);
    CAF_CHECK(lines.insert(face.what).second);
    CAF_CHECK(reasons.contains(face.aws_reason));
  }
  CAF_CHECK(!names.contains("unknown"));
}

CAF_TEST(an error says which limit it is about) {
  for (size_t i = 0; i < throttle_count; ++i) {
    const auto which = static_cast<throttle>(i);
    const auto error = make_throttled(which);
    CAF_CHECK(code_of(error) == errc::too_many_requests);
    CAF_CHECK_EQUAL(what_of(error), std::string{face_of(which).what});
    const auto told = throttle_of(error);
    CAF_REQUIRE(static_cast<bool>(told));
    CAF_CHECK(*told == which);
  }
}

CAF_TEST(other errors are about no limit) {
  CAF_CHECK(!throttle_of({}));
  CAF_CHECK(!throttle_of(make_error(errc::too_many_requests, "no more functions")));
  CAF_CHECK(!throttle_of(make_error(errc::internal)));
  CAF_CHECK(!throttle_of(make_error(caf::sec::request_timeout)));
}
