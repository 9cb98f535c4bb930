#define CAF_SUITE handlers.zygote_tree

#include "config/limits.hpp"
#include "handlers/sandbox/zygote_tree.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using troupe::handlers::package_set;
using troupe::handlers::zygote_tree;
using troupe::limits::mib;

namespace {

struct fixture {
  zygote_tree tree{100 * mib};

  zygote_tree::id launch(const package_set& wanted, const std::set<std::string>& carried = {}) {
    return tree.choose(wanted, carried);
  }

  /// Asks for a set until it is made, with what that costs; returns its number.
  zygote_tree::id make(const package_set& wanted, std::chrono::microseconds time = 100ms, uint64_t memory = 10 * mib) {
    for (uint32_t i = 0; i < troupe::limits::package_misses_min; ++i)
      launch(wanted);
    const auto next = tree.next();
    CAF_REQUIRE(next.has_value());
    CAF_REQUIRE(tree.packages_of(next->number) == wanted);
    tree.grown(next->number, {time, memory, wanted});
    return next->number;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(zygote_tree_tests, fixture)

CAF_TEST(nothing is made for what was asked for once) {
  CAF_CHECK_EQUAL(launch({"a"}), zygote_tree::root);
  CAF_CHECK(!tree.next().has_value());
  CAF_CHECK_EQUAL(launch({}), zygote_tree::root);
}

CAF_TEST(what is asked for again is made once and used) {
  launch({"a", "b"});
  launch({"a", "b"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  CAF_CHECK_EQUAL(next->parent, zygote_tree::root);
  CAF_CHECK(next->packages == (std::vector<std::string>{"a", "b"}));
  CAF_CHECK_EQUAL(launch({"a", "b"}), zygote_tree::root); // it is being made
  CAF_CHECK(!tree.next().has_value());
  CAF_CHECK(tree.grown(next->number, {200ms, 10 * mib, {"a", "b"}}).empty());
  CAF_CHECK_EQUAL(launch({"a", "b"}), next->number);
  CAF_CHECK(!tree.next().has_value());
  CAF_CHECK_EQUAL(tree.size(), 1u);
  CAF_CHECK_EQUAL(tree.memory_used(), 10 * mib);
}

CAF_TEST(a function never gets what it does not import) {
  const auto a = make({"a"});
  const auto ab = make({"a", "b"});
  CAF_CHECK_EQUAL(launch({"b"}), zygote_tree::root);
  CAF_CHECK_EQUAL(launch({"c"}), zygote_tree::root);
  CAF_CHECK_EQUAL(launch({"a"}), a);
  CAF_CHECK_EQUAL(launch({"a", "c"}), a);
  CAF_CHECK_EQUAL(launch({"a", "b", "c"}), ab);
}

CAF_TEST(the zygote that saves most is taken) {
  make({"a"}, 50ms);
  const auto b = make({"b"}, 300ms);
  CAF_CHECK_EQUAL(launch({"a", "b"}), b);
}

CAF_TEST(a child is cloned from the zygote that has most of it and imports the rest) {
  const auto a = make({"a"}, 100ms);
  launch({"a", "b"});
  launch({"a", "b"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  CAF_CHECK_EQUAL(next->parent, a);
  CAF_CHECK(next->packages == (std::vector<std::string>{"b"}));
  tree.grown(next->number, {20ms, 1 * mib, {"b"}});
  CAF_CHECK_EQUAL(launch({"a", "b"}), next->number); // 120 ms are more than 100
}

CAF_TEST(what two functions have in common is made first) {
  launch({"a", "b"});
  launch({"a", "c"});
  launch({"a", "b"});
  launch({"a", "c"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  tree.grown(next->number, {100ms, 10 * mib, {"a"}});
  launch({"a", "b"});
  const auto child = tree.next();
  CAF_REQUIRE(child.has_value());
  CAF_CHECK(tree.packages_of(child->number).size() == 2);
}

CAF_TEST(a bundle with modules of its own gets no zygote that has loaded others of that name) {
  launch({"a"});
  launch({"a"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  tree.grown(next->number, {100ms, 10 * mib, {"a", "helper"}});
  CAF_CHECK_EQUAL(launch({"a"}, {"helper", "main"}), zygote_tree::root);
  CAF_CHECK_EQUAL(launch({"a"}, {"main"}), next->number);
  launch({"a", "b"});
  launch({"a", "b"});
  const auto child = tree.next();
  CAF_REQUIRE(child.has_value());
  CAF_CHECK_EQUAL(child->parent, next->number);
  tree.grown(child->number, {100ms, 10 * mib, {"b"}});
  CAF_CHECK_EQUAL(launch({"a", "b"}, {"helper"}), zygote_tree::root); // which it has from its parent
}

CAF_TEST(memory is for those that save most for their size) {
  const auto small = make({"small"}, 100ms, 10 * mib);
  const auto large = make({"large"}, 100ms, 60 * mib);
  launch({"next"});
  launch({"next"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  const auto gone = tree.grown(next->number, {100ms, 40 * mib, {}});
  CAF_CHECK(gone == std::vector<zygote_tree::id>{large});
  CAF_CHECK_EQUAL(launch({"large"}), zygote_tree::root);
  CAF_CHECK_EQUAL(launch({"small"}), small);
  CAF_CHECK_EQUAL(tree.memory_used(), 50 * mib);
}

CAF_TEST(one that is worth less than all others goes at once) {
  const auto used = make({"used"}, 500ms, 80 * mib);
  for (int i = 0; i < 20; ++i)
    launch({"used"});
  launch({"poor"});
  launch({"poor"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  CAF_CHECK(tree.grown(next->number, {10ms, 40 * mib, {}}) == std::vector<zygote_tree::id>{next->number});
  CAF_CHECK_EQUAL(launch({"used"}), used);
  // It is known by now what it is worth, so it is not made again for nothing.
  launch({"poor"});
  launch({"poor"});
  CAF_CHECK(!tree.next().has_value());
}

CAF_TEST(what was in demand once goes in the end) {
  const auto old = make({"old"}, 100ms, 60 * mib);
  for (int i = 0; i < 10; ++i)
    launch({"old"});
  bool is_gone = false;
  for (int round = 0; round < 40 && !is_gone; ++round)
    for (const char* name : {"x", "y"}) {
      launch({name});
      launch({name});
      if (const auto next = tree.next()) {
        const auto gone = tree.grown(next->number, {100ms, 60 * mib, {}});
        is_gone = is_gone || std::ranges::find(gone, old) != gone.end();
      }
    }
  CAF_CHECK(is_gone);
}

CAF_TEST(a parent goes and its child lives) {
  const auto a = make({"a"}, 100ms, 60 * mib);
  launch({"a", "b"});
  launch({"a", "b"});
  const auto child = tree.next();
  CAF_REQUIRE(child.has_value());
  tree.grown(child->number, {100ms, 10 * mib, {"b"}});
  for (int i = 0; i < 20; ++i)
    launch({"a", "b"});
  launch({"c"});
  launch({"c"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  CAF_CHECK(tree.grown(next->number, {400ms, 40 * mib, {"c"}}) == std::vector<zygote_tree::id>{a});
  CAF_CHECK_EQUAL(launch({"a", "b"}), child->number);
}

CAF_TEST(what takes no time to import is not kept) {
  launch({"a"});
  launch({"a"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  CAF_CHECK(tree.grown(next->number, {1ms, 1 * mib, {}}) == std::vector<zygote_tree::id>{next->number});
  for (int i = 0; i < 5; ++i)
    CAF_CHECK_EQUAL(launch({"a"}), zygote_tree::root);
  CAF_CHECK(!tree.next().has_value());
}

CAF_TEST(a package that fails is not tried again and others of its sets are) {
  launch({"good", "bad"});
  launch({"good", "bad"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  tree.refuse(next->number, "bad");
  launch({"good", "bad"});
  launch({"good", "bad"});
  const auto second = tree.next();
  CAF_REQUIRE(second.has_value());
  CAF_CHECK(second->packages == std::vector<std::string>{"good"});
  tree.grown(second->number, {100ms, 1 * mib, {"good"}});
  CAF_CHECK_EQUAL(launch({"good", "bad"}), second->number);
  CAF_CHECK(!tree.next().has_value());
}

CAF_TEST(of a set that fails as a whole each is tried by itself) {
  launch({"a", "b"});
  launch({"a", "b"});
  const auto whole = tree.next();
  CAF_REQUIRE(whole.has_value());
  tree.refuse(whole->number, {});
  const auto first = tree.next();
  CAF_REQUIRE(first.has_value());
  CAF_CHECK_EQUAL(first->packages.size(), 1u);
  tree.refuse(first->number, {});
  const auto second = tree.next();
  CAF_REQUIRE(second.has_value());
  CAF_CHECK(second->packages != first->packages);
  tree.grown(second->number, {100ms, 1 * mib, {}});
  CAF_CHECK_EQUAL(launch({"a", "b"}), second->number);
  for (int i = 0; i < 3; ++i)
    launch({"a", "b"});
  CAF_CHECK(!tree.next().has_value());
}

CAF_TEST(one that does not fit at all is given up) {
  launch({"a"});
  launch({"a"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  CAF_CHECK(tree.grown(next->number, {900ms, 101 * mib, {}}) == std::vector<zygote_tree::id>{next->number});
  launch({"a"});
  launch({"a"});
  CAF_CHECK(!tree.next().has_value());
}

CAF_TEST(one that dies is made again a few times) {
  for (uint32_t i = 0; i < troupe::limits::package_deaths_max; ++i) {
    const auto a = make({"a"});
    tree.lost(a);
    CAF_CHECK_EQUAL(launch({"a"}), zygote_tree::root);
    CAF_CHECK_EQUAL(tree.size(), 0u);
  }
  launch({"a"});
  launch({"a"});
  CAF_CHECK(!tree.next().has_value());
}

CAF_TEST(one that could not be made is put off) {
  launch({"a"});
  launch({"a"});
  const auto next = tree.next();
  CAF_REQUIRE(next.has_value());
  tree.put_off(next->number);
  CAF_CHECK(!tree.next().has_value());
  make({"a"});
}

CAF_TEST(no more sets are counted than the limit) {
  for (int i = 0; i < 1000; ++i)
    launch({"x" + std::to_string(i), "y" + std::to_string(i)});
  make({"a"}); // which the oldest makes room for
  CAF_CHECK_EQUAL(tree.size(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
