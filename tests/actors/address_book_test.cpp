#define CAF_SUITE actors.address_book

#include "actors/cluster/address_book.hpp"

#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

using namespace troupe;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

acquaintance node_at(const std::string& name, uint16_t port) {
  return {name, {"127.0.0.1", port}};
}

struct fixture {
  address_book book{"n5", {{"seed.example", 7400}}};
  steady_clock::time_point now{1h};
  std::vector<std::string> there; ///< names of those that are linked

  std::vector<config::node_address> due() {
    return book.due(now, [this](const std::string& name) { return std::ranges::find(there, name) != there.end(); });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(address_book_tests, fixture)

CAF_TEST(of two nodes the one whose name comes first dials) {
  due();
  CAF_CHECK(book.learn(node_at("n6", 7406)));
  CAF_CHECK(!book.learn(node_at("n4", 7404)));
  CAF_CHECK(!book.learn(node_at("n5", 7405)));
  const auto now_due = due();
  CAF_REQUIRE_EQUAL(now_due.size(), 1u);
  CAF_CHECK_EQUAL(now_due.front().port, 7406u);
  CAF_CHECK(due().empty()); // It is under way.
}

CAF_TEST(pauses double up to a bound) {
  const auto seed = due().at(0);
  std::vector<std::chrono::milliseconds> pauses;
  for (int i = 0; i < 7; ++i) {
    book.failed(seed, now);
    auto pause = 0ms;
    while (due().empty()) {
      now += 10ms;
      pause += 10ms;
    }
    pauses.push_back(pause);
  }
  const std::vector<std::chrono::milliseconds> wanted{100ms, 200ms, 400ms, 800ms, 1600ms, 2000ms, 2000ms};
  CAF_CHECK(pauses == wanted);
}

CAF_TEST(who never answers is forgotten but seeds are kept for ever) {
  book.learn(node_at("n6", 7406));
  for (uint32_t i = 0; i < limits::dials_max; ++i) {
    due();
    book.failed({"seed.example", 7400}, now);
    book.failed({"127.0.0.1", 7406}, now);
    now += 2s;
  }
  CAF_CHECK(!book.knows({"127.0.0.1", 7406}));
  CAF_CHECK(book.knows({"seed.example", 7400}));
  CAF_CHECK_EQUAL(due().size(), 1u);
}

CAF_TEST(any number may be named and a bounded one is kept) {
  for (int i = 0; i < 5000; ++i)
    book.learn(node_at("n6", static_cast<uint16_t>(10'000 + i)));
  CAF_CHECK_EQUAL(book.size(), limits::members_max);
  // Not all of them are dialled at one time.
  const auto first = due();
  CAF_CHECK_EQUAL(first.size(), 64u);
  CAF_CHECK(due().empty());
  book.failed(first.at(0), now);
  CAF_CHECK_EQUAL(due().size(), 1u);
  // Whoever asks to be dialled back takes the place of one that has not answered.
  book.dial_back(node_at("n7", 7407));
  CAF_CHECK(book.knows({"127.0.0.1", 7407}));
  CAF_CHECK_EQUAL(book.size(), limits::members_max);
  CAF_CHECK_EQUAL(due().size(), 1u); // It does not wait for the others.
}

CAF_TEST(what can be no node is not dialled) {
  CAF_CHECK(!book.learn({"n6", {"127.0.0.1", 0}}));
  CAF_CHECK(!book.learn({"n6", {"", 7400}}));
  CAF_CHECK(!book.learn({"n6", {std::string(5000, 'x'), 7400}}));
  CAF_CHECK(!book.learn({"n6", {"a b\n", 7400}}));
  CAF_CHECK(!book.learn({"n 6", {"127.0.0.1", 7400}}));
  CAF_CHECK(!book.learn({std::string(5000, 'x'), {"127.0.0.1", 7400}}));
  CAF_CHECK_EQUAL(book.size(), 1u);
}

CAF_TEST(who waits to be dialled is at once) {
  due();
  book.learn(node_at("n6", 7406));
  book.failed(due().at(0), now);
  CAF_CHECK(due().empty());
  book.dial_back(node_at("n6", 7406));
  CAF_CHECK_EQUAL(due().size(), 1u);
}

CAF_TEST(who is there is not dialled) {
  const auto seed = due().at(0);
  book.let_in(seed, "n4", now);
  now += 1s;
  CAF_CHECK(due().empty()); // Its first word is waited for.
  there = {"n4"};
  now += 1h;
  CAF_CHECK(due().empty());
  there.clear();
  book.lost("n4");
  CAF_CHECK_EQUAL(due().size(), 1u); // a seed is, whoever dials
}

CAF_TEST(a seed that has dialled this node is not dialled) {
  const auto seed = due().at(0);
  book.failed(seed, now);
  book.met(seed, "n4");
  book.met({"elsewhere", 1}, "n4");
  CAF_CHECK_EQUAL(book.size(), 1u);
  there = {"n4"};
  now += 1h;
  CAF_CHECK(due().empty());
}

CAF_TEST(who has let this node in and never says a word is dialled again) {
  const auto seed = due().at(0);
  book.let_in(seed, "n4", now);
  now += 5s;
  CAF_CHECK_EQUAL(due().size(), 1u);
}

CAF_TEST(a lost node is looked for by who dials it) {
  due();
  book.learn(node_at("n6", 7406));
  book.let_in(due().at(0), "n6", now);
  book.lost("n6");
  CAF_CHECK_EQUAL(due().size(), 1u);
  book.dial_back(node_at("n4", 7404));
  book.let_in({"127.0.0.1", 7404}, "n4", now);
  book.lost("n4");
  CAF_CHECK(!book.knows({"127.0.0.1", 7404}));
}

CAF_TEST_FIXTURE_SCOPE_END()
