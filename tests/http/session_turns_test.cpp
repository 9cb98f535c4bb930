#define CAF_SUITE http.session_turns

#include <caf/test/unit_test.hpp>

#include <future>
#include <list>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;

namespace {

struct fixture {
  test::test_node node;
  std::list<test::client> crowd; ///< of tenant a
  test::client other;
  std::string other_tenant = "b";

  fixture() : other{node.port()} {
    for (int i = 0; i < 8; ++i)
      crowd.emplace_back(node.port());
    // Two tenants share a lane by chance now and then.
    const auto& turns = node.loop.turns();
    while (turns.lane_of(other_tenant) == turns.lane_of("a"))
      other_tenant += "b";
  }

  static void ask(test::client& of, const std::string& tenant) {
    CAF_CHECK(of.send(test::text_of("POST", "/run/count", "1", "X-Troupe-Tenant: " + tenant + "\r\n")));
  }

  /// The place that the other tenant's request gets when it comes last of all, with the crowd's, at one time.
  int place_of_other() {
    std::promise<void> all_sent;
    boost::asio::post(node.loop.io(), [sent = all_sent.get_future().share()] { sent.wait(); });
    for (auto& each : crowd)
      ask(each, "a");
    ask(other, other_tenant);
    all_sent.set_value();
    for (auto& each : crowd)
      CAF_CHECK_EQUAL(each.read().status, 200);
    return std::stoi(other.read().body);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(session_turns_tests, fixture)

CAF_TEST(one tenant does not stand behind all that another has sent) {
  // First on new connections, of which it is not known yet whose they are, and then on those that were used before.
  CAF_CHECK_LESS(place_of_other(), 5);
  CAF_CHECK_LESS(place_of_other() - 9, 5);
}

CAF_TEST_FIXTURE_SCOPE_END()
