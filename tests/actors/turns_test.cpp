#define CAF_SUITE actors.turns

#include "actors/turns.hpp"

#include <caf/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace troupe;

namespace {

struct piece final : turn {
  piece(std::string what, std::function<void(const piece&)> then) : name{std::move(what)}, on_turn{std::move(then)} {}
  void take() override { on_turn(*this); }

  std::string name;
  std::function<void(const piece&)> on_turn;
};

struct fixture {
  turns all{42};
  std::vector<std::unique_ptr<piece>> pieces;
  std::string order; ///< in which turns were taken

  piece& make(const std::string& name) {
    pieces.push_back(std::make_unique<piece>(name, [this](const piece& self) { order += self.name + " "; }));
    return *pieces.back();
  }

  /// The tenant is the name's first letter.
  void bring(const std::string& name) { all.wait(make(name), all.lane_of(name.substr(0, 1))); }

  void take_all() {
    while (!all.empty())
      all.take_next();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(turns_tests, fixture)

CAF_TEST(tenants take turns and one tenant is served in its own order) {
  CAF_CHECK(all.empty());
  for (const auto* name : {"a1", "a2", "a3", "a4", "b1", "c1", "c2"})
    bring(name);
  take_all();
  CAF_CHECK_EQUAL(order, "a1 b1 c1 a2 c2 a3 a4 ");
}

CAF_TEST(who comes during a flood is next) {
  for (int i = 0; i < 100; ++i)
    bring("a" + std::to_string(i));
  bring("c0");
  all.take_next();
  all.take_next();
  all.take_next();
  bring("b1");
  all.take_next();
  all.take_next();
  CAF_CHECK_EQUAL(order, "a0 c0 a1 b1 a2 ");
  take_all();
}

CAF_TEST(who comes back before all others had their turn waits for theirs) {
  for (int i = 0; i < 3; ++i) {
    bring("a" + std::to_string(i));
    bring("b" + std::to_string(i));
  }
  bring("c1");
  all.take_next();
  all.take_next();
  all.take_next();
  bring("c2");
  take_all();
  CAF_CHECK_EQUAL(order, "a0 b0 c1 a1 b1 c2 a2 b2 ");
}

CAF_TEST(a flood of newcomers does not keep the others waiting for ever) {
  for (int i = 0; i < 3; ++i)
    bring("a" + std::to_string(i));
  all.take_next();
  for (int i = 0; i < 20; ++i)
    all.wait(make("n"), all.any());
  take_all();
  CAF_CHECK_EQUAL(order, "a0 n n n n n n n a1 n n n n n n n n a2 n n n n n ");
}

CAF_TEST(who goes on with what it has begun goes before its own tenant and not before others) {
  for (const auto* name : {"a1", "a2", "b1", "b2"})
    bring(name);
  all.take_next();
  all.go_on(make("a1+"), all.lane_of("a"));
  take_all();
  CAF_CHECK_EQUAL(order, "a1 b1 a1+ b2 a2 ");
}

CAF_TEST(a turn knows whose it is and may bring more) {
  std::vector<turns::lane> lanes;
  auto& second = make("a2");
  second.on_turn = [&](const piece&) { lanes.push_back(all.current()); };
  auto& first = make("a1");
  first.on_turn = [&](const piece&) {
    lanes.push_back(all.current());
    all.wait(second, all.current());
  };
  all.wait(first, all.lane_of("a"));
  take_all();
  CAF_CHECK(lanes == std::vector(2, all.lane_of("a")));
  CAF_CHECK_EQUAL(all.current(), 0);
}

CAF_TEST(tenants share a lane by chance only and not after every start) {
  const turns another{43};
  std::set<turns::lane> used;
  int moved = 0;
  for (int i = 0; i < 100; ++i) {
    const auto tenant = "tenant-" + std::to_string(i);
    used.insert(all.lane_of(tenant));
    CAF_CHECK_EQUAL(all.lane_of(tenant), all.lane_of(std::string{tenant}));
    moved += all.lane_of(tenant) != another.lane_of(tenant) ? 1 : 0;
  }
  CAF_CHECK_GREATER(used.size(), 80u); // 95 of 1024 are expected
  CAF_CHECK_GREATER(moved, 90);
}

CAF_TEST_FIXTURE_SCOPE_END()
