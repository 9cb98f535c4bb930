#define CAF_SUITE handlers.ids

#include "handlers/sandbox/ids.hpp"

#include "config/limits.hpp"
#include "handlers/sandbox/sub_ids.hpp"

#include <caf/test/unit_test.hpp>

#include <set>

using namespace troupe::handlers;
namespace limits = troupe::limits;

namespace {

constexpr const char* whole = "         0          0 4294967295\n";
constexpr const char* single = "         0       1000          1\n";
constexpr const char* of_newuidmap = "         0       1000          1\n"
                                     "         1     100000      65536\n";
constexpr const char* of_a_container = "0 100000 65536\n";

} // namespace

CAF_TEST(root gives each sandbox a range of its own) {
  const id_plan plan = plan_ids(whole, whole);
  CAF_CHECK(plan.is_roots());
  const size_t all = (limits::sandbox_cells_max + 1) * limits::sandbox_ids;
  CAF_CHECK_EQUAL(plan.of_zygote(), "0 1879048192 " + std::to_string(all) + "\n");
  CAF_CHECK_EQUAL(plan.of_sandbox(0).line(), "0 65536 65536\n");
  const id_map last = plan.of_sandbox(limits::sandbox_cells_max - 1);
  CAF_CHECK_EQUAL(size_t{last.outside} + last.count, all);
}

CAF_TEST(with fewer ids each sandbox has one) {
  const id_plan plan = plan_ids(of_a_container, of_a_container);
  CAF_CHECK(plan == (id_plan{.first = 0, .each = 1}));
  CAF_CHECK(!plan.is_roots());
  CAF_CHECK_EQUAL(plan.of_sandbox(7).line(), "1000 8 1\n");
  CAF_CHECK_EQUAL(plan.of_zygote(), "0 0 1\n1 1 " + std::to_string(limits::sandbox_cells_max) + "\n");
  CAF_CHECK(plan_ids(of_newuidmap, of_newuidmap) == plan);
}

CAF_TEST(with a single id it is everybodys) {
  const id_plan plan = plan_ids(single, single);
  CAF_CHECK(plan == (id_plan{.first = 0, .each = 0}));
  CAF_CHECK_EQUAL(plan.of_zygote(), "0 0 1\n");
  CAF_CHECK_EQUAL(plan.of_sandbox(0).line(), "1000 0 1\n");
  CAF_CHECK_EQUAL(plan.of_sandbox(99).line(), "1000 0 1\n");
}

CAF_TEST(users and groups have to be there both) {
  CAF_CHECK(plan_ids(whole, single) == plan_ids(single, single));
  CAF_CHECK(plan_ids(of_newuidmap, single) == plan_ids(single, single));
  CAF_CHECK(plan_ids("0 1000 1\n1 100000 100\n", whole) == plan_ids(single, single));
  CAF_CHECK(plan_ids("", "") == plan_ids(single, single));
}

CAF_TEST(ranges of a user are found by name and by number) {
  constexpr const char* file = "# comment\n"
                               "ada:100000:65536\n"
                               "1001:200000:65536\n"
                               "grace:300000:10\n"
                               "grace:400000:2000\n";
  CAF_CHECK(find_sub_ids(file, "ada", 1000, 1280) == 100'000U);
  CAF_CHECK(find_sub_ids(file, "nobody-knows", 1001, 1280) == 200'000U);
  CAF_CHECK(find_sub_ids(file, "grace", 1002, 1280) == 400'000U); // the first that is large enough
  CAF_CHECK(!find_sub_ids(file, "grace", 1002, 2001));
  CAF_CHECK(!find_sub_ids(file, "ad", 1000, 1));
  CAF_CHECK(!find_sub_ids("", "ada", 1000, 1));
  for (const char* broken : {"ada", "ada:", "ada:1", "ada:x:65536", "ada:1:y", "ada::65536", "ada:-1:65536",
                             "ada:99999999999:65536", "ada:1:65536:2"})
    CAF_CHECK(!find_sub_ids(broken, "ada", 1000, 1));
}
