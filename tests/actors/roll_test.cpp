#define CAF_SUITE actors.roll

#include "actors/cluster/roll.hpp"

#include "actor_fixture.hpp"
#include "config/limits.hpp"

using namespace troupe;

namespace {

struct fixture : test::actor_fixture {
  fixture() : calling{sys.spawn(roll)} { run(); }

  ~fixture() override { caf::anon_send_exit(calling, caf::exit_reason::kill); }

  void tell(const std::vector<std::string>& names) {
    std::vector<member> all;
    for (const auto& name : names) {
      all.emplace_back();
      all.back().name = name;
    }
    caf::anon_send(calling, atom::members::value, all);
    run();
  }

  std::vector<std::string> gone() {
    std::vector<std::string> names;
    caf::scoped_actor asker{sys};
    auto handle = asker->request(calling, caf::infinite, atom::list::value);
    run();
    handle.receive(
      [&](const std::vector<acquaintance>& all) {
        for (const auto& who : all)
          names.push_back(who.name);
      },
      [&](caf::error& e) { CAF_FAIL("the roll failed: " << what_of(e)); });
    return names;
  }

  roll_actor calling;
};

using names = std::vector<std::string>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(roll_tests, fixture)

CAF_TEST(nobody has left a node that is new) {
  CAF_CHECK(gone().empty());
  tell({"a"});
  tell({"a", "b"});
  CAF_CHECK(gone().empty());
}

CAF_TEST(who leaves is remembered until he is back) {
  tell({"a", "c", "b"});
  tell({"a"});
  CAF_CHECK(gone() == names({"b", "c"}));
  tell({"a"});
  CAF_CHECK(gone() == names({"b", "c"}));
  tell({"a", "c"});
  CAF_CHECK(gone() == names({"b"}));
  tell({"a"});
  CAF_CHECK(gone() == names({"b", "c"}));
}

CAF_TEST(no more are remembered than there can be members) {
  for (size_t i = 0; i < limits::members_max + 10; ++i)
    tell({"a", "n" + std::to_string(i)});
  CAF_CHECK_EQUAL(gone().size(), limits::members_max);
}

CAF_TEST_FIXTURE_SCOPE_END()
