#define CAF_SUITE actors.io_loop

#include "actors/io_loop.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <caf/test/unit_test.hpp>

#include <functional>
#include <string>
#include <thread>
#include <utility>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct piece final : turn {
  explicit piece(std::function<void()> then) : on_turn{std::move(then)} {}
  void take() override { on_turn(); }

  std::function<void()> on_turn;
};

struct fixture {
  io_loop loop;
  std::string order; ///< of what has happened
  int messages = 0;  ///< that actors have not run for yet

  fixture() {
    loop.set_actors([this] {
      if (std::exchange(messages, 0) > 0)
        order += "actors ";
    });
  }

  void post(std::function<void()> work) { boost::asio::post(loop.io(), std::move(work)); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(io_loop_tests, fixture)

CAF_TEST(what has come goes first then messages and then turns) {
  piece answer{[&] { order += "turn "; }};
  post([&] {
    order += "first ";
    loop.turns().wait(answer, 1);
    ++messages;
  });
  post([&] { order += "second "; });
  loop.run();
  CAF_CHECK_EQUAL(order, "first second actors turn ");
}

CAF_TEST(it looks at what has come after each turn) {
  piece third{[&] { order += "turn3 "; }};
  piece second{[&] { order += "turn2 "; }};
  piece first{[&] {
    order += "turn1 ";
    post([&] { order += "come "; });
    ++messages;
  }};
  post([&] {
    for (auto* each : {&first, &second, &third})
      loop.turns().wait(*each, 1);
  });
  loop.run();
  CAF_CHECK_EQUAL(order, "turn1 actors come turn2 turn3 ");
}

CAF_TEST(turns that are all there is are taken and what they begin is awaited) {
  boost::asio::steady_timer timer{loop.io()};
  piece last{[&] { order += "end "; }};
  piece only{[&] {
    timer.expires_after(1ms);
    timer.async_wait([&](boost::system::error_code) { loop.turns().wait(last, 2); });
  }};
  loop.turns().wait(only, 1);
  loop.run();
  CAF_CHECK_EQUAL(order, "end ");
}

CAF_TEST(what comes without end does not keep others from their turns) {
  std::function<void()> endless = [&] { post(endless); };
  piece last{[&] {
    order += "turn ";
    loop.stop();
  }};
  post([&] {
    ++messages;
    loop.turns().wait(last, 1);
    endless();
  });
  loop.run();
  CAF_CHECK_EQUAL(order, "actors turn ");
  endless = [] {};
}

CAF_TEST(messages that were there before it began are seen to before it looks for work) {
  boost::asio::steady_timer timer{loop.io()};
  loop.set_actors([&] {
    if (std::exchange(messages, 0) == 0)
      return;
    timer.expires_after(1ms);
    timer.async_wait([&](boost::system::error_code) { order += "timer "; });
  });
  ++messages;
  loop.run();
  CAF_CHECK_EQUAL(order, "timer ");
}

CAF_TEST(it stops after the step that says so and goes on until something is done) {
  piece third{[&] { order += "third "; }};
  piece second{[&] {
    order += "second ";
    post([&] { loop.turns().wait(third, 1); });
    ++messages;
  }};
  piece first{[&] { order += "first "; }};
  post([&] {
    order += "stop ";
    loop.turns().wait(first, 1);
    loop.turns().wait(second, 1);
    loop.stop();
  });
  boost::asio::steady_timer timer{loop.io(), 1h};
  timer.async_wait([&](boost::system::error_code) { order += "never "; });
  loop.run();
  CAF_CHECK_EQUAL(order, "stop first ");
  CAF_CHECK(loop.run_until([&] { return order.ends_with("actors "); }, 10s));
  CAF_CHECK_EQUAL(order, "stop first second actors third ");
  CAF_CHECK(!loop.run_until([] { return false; }, 10ms));
}

CAF_TEST(until something is done it hears of other threads even when nothing else is left) {
  bool done = false;
  std::thread other;
  CAF_CHECK(loop.run_until(
    [&] {
      if (!other.joinable()) // It has looked once, and has found nothing to wait for.
        other = std::thread{[&] { post([&] { done = true; }); }};
      return done;
    },
    10s));
  other.join();
}

CAF_TEST(it knows its thread) {
  loop.bind();
  CAF_CHECK(loop.is_here());
  bool elsewhere = true;
  std::thread{[&] { elsewhere = loop.is_here(); }}.join();
  CAF_CHECK(!elsewhere);
}

CAF_TEST_FIXTURE_SCOPE_END()
