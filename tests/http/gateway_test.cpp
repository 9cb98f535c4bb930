#define CAF_SUITE http.gateway

#include "http/gateway.hpp"

#include "http/together.hpp"

#include <caf/forwarding_actor_proxy.hpp>
#include <caf/test/unit_test.hpp>

#include "node_fixture.hpp"

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;

namespace {

invocation call_of(std::string name, std::string payload = "1") {
  invocation call;
  call.id = uuid::make();
  call.name = std::move(name);
  call.payload = std::move(payload);
  return call;
}

test::node_options quick_sweep() {
  auto options = test::test_node::ready();
  options.gateway_sweep = 5ms;
  return options;
}

struct fixture {
  test::test_node node{quick_sweep()};

  std::future<caf::expected<outcome>> begin(const invocation& call, std::chrono::milliseconds time_max) {
    return node.start_on_io<caf::expected<outcome>>([this, call, time_max] {
      return node.gate.ask<outcome>(node.gate.actors().balancer, time_max, atom::invoke{}, call);
    });
  }

  caf::expected<outcome> invoke(const invocation& call, std::chrono::milliseconds time_max = 10s) {
    return begin(call, time_max).get();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(gateway_tests, fixture)

CAF_TEST(an answer comes back whole) {
  auto call = call_of("echo", std::string(100'000, 'x'));
  const auto id = call.id;
  const auto result = invoke(call);
  CAF_REQUIRE(result.engaged());
  CAF_CHECK(result->id == id);
  CAF_CHECK_EQUAL(result->payload.size(), 100'000u);
}

CAF_TEST(the error of an actor comes back as it is) {
  const auto result = invoke(call_of("absent"));
  CAF_REQUIRE(!result.engaged());
  CAF_CHECK(code_of(result.error()) == errc::function_not_found);
  CAF_CHECK_EQUAL(what_of(result.error()), "Function not found: absent");
}

CAF_TEST(an answer without a value is one too) {
  const auto done = node.on_io<caf::expected<caf::unit_t>>(
    [this] { return node.gate.ask<caf::unit_t>(node.gate.actors().worker, 10s, atom::flush{}); });
  CAF_CHECK(static_cast<bool>(done));
  const auto refused = node.on_io<caf::expected<caf::unit_t>>([this] {
    return node.gate.ask<caf::unit_t>(node.gate.actors().store, 10s, atom::remove{}, std::string{"default"},
                                      std::string{"absent"});
  });
  CAF_CHECK(code_of(refused.error()) == errc::function_not_found);
}

CAF_TEST(who is never answered hears of it and a late answer does no harm) {
  CAF_CHECK(code_of(invoke(call_of("hold"), 20ms).error()) == errc::unavailable);
  caf::anon_send(node.gate.actors().balancer, atom::remove{}, std::string{}, std::string{});
  CAF_CHECK(invoke(call_of("echo")).engaged());
}

CAF_TEST(an actor that has ended is unavailable) {
  caf::anon_send_exit(node.gate.actors().balancer, caf::exit_reason::kill);
  CAF_CHECK(code_of(invoke(call_of("echo")).error()) == errc::unavailable);
}

CAF_TEST(an actor of a lost node is known to be lost) {
  // CAF's stand-in for an actor of another node, over a link that swallows everything.
  const auto link = node.system.spawn([]() -> caf::behavior { return {[](int) {}}; });
  const auto elsewhere = caf::make_node_id(1, "0123456789abcdef0123456789abcdef01234567");
  CAF_REQUIRE(elsewhere);
  caf::actor_config config;
  const auto far =
    caf::make_actor<caf::forwarding_actor_proxy, caf::strong_actor_ptr>(7, *elsewhere, &node.system, config, link);
  const auto begin_far = [&] {
    return node.start_on_io<caf::expected<caf::unit_t>>(
      [this, far] { return node.gate.ask<caf::unit_t>(caf::actor_cast<worker_actor>(far), 10s, atom::flush{}); });
  };
  auto first = begin_far();
  auto second = begin_far();
  CAF_CHECK(first.wait_for(50ms) == std::future_status::timeout);
  static_cast<caf::forwarding_actor_proxy*>(caf::actor_cast<caf::abstract_actor*>(far))
    ->kill_proxy(nullptr, caf::exit_reason::remote_link_unreachable);
  CAF_CHECK(code_of(first.get().error()) == errc::node_lost);
  CAF_CHECK(code_of(second.get().error()) == errc::node_lost);
  // Asked after that, it is as lost.
  CAF_CHECK(code_of(begin_far().get().error()) == errc::node_lost);
  caf::anon_send_exit(link, caf::exit_reason::kill);
}

CAF_TEST(coroutines that run together answer in their order) {
  const auto all = node.on_io<std::vector<std::string>>([this]() -> http::task<std::vector<std::string>> {
    std::vector<http::task<caf::expected<outcome>>> questions;
    for (const char* name : {"echo", "absent", "hold", "echo"})
      questions.push_back(node.gate.ask<outcome>(node.gate.actors().balancer, 100ms, atom::invoke{}, call_of(name)));
    std::vector<std::string> words;
    const auto answers = co_await http::together(std::move(questions));
    for (const auto& answer : answers)
      words.push_back(answer ? answer->payload : std::string{name_of(code_of(answer.error()))});
    co_return words;
  });
  CAF_CHECK(all == std::vector<std::string>({"1", "function_not_found", "unavailable", "1"}));
  const auto none = node.on_io<size_t>([]() -> http::task<size_t> {
    const auto nothing = co_await http::together(std::vector<http::task<int>>{});
    co_return nothing.size();
  });
  CAF_CHECK_EQUAL(none, 0u);
}

CAF_TEST(many questions at one time find their own answers) {
  const size_t count = 500;
  std::vector<std::future<caf::expected<outcome>>> answers;
  for (size_t i = 0; i < count; ++i)
    answers.push_back(begin(call_of("echo", std::to_string(i)), 10s));
  for (size_t i = 0; i < count; ++i) {
    const auto answer = answers[i].get();
    CAF_REQUIRE(answer.engaged());
    CAF_CHECK_EQUAL(answer->payload, std::to_string(i));
  }
}

CAF_TEST(a stop fails what waits and what comes after) {
  auto waiting = begin(call_of("hold"), 10s);
  node.on_io<int>([this]() -> http::task<int> {
    node.gate.stop();
    co_return 0;
  });
  CAF_CHECK(code_of(waiting.get().error()) == errc::shutting_down);
  CAF_CHECK(code_of(invoke(call_of("echo")).error()) == errc::shutting_down);
}

CAF_TEST(a stop ends the sweep even when its time has just come) {
  node.on_io<int>([this]() -> http::task<int> {
    // Blocks the io thread on purpose until the timer has run out, so that its handler is queued behind this step.
    const auto until = std::chrono::steady_clock::now() + 10ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    co_await boost::asio::post(http::use_task);
    node.gate.stop();
    co_return 0;
  });
  CAF_CHECK(code_of(invoke(call_of("echo")).error()) == errc::shutting_down);
  // The end of the fixture waits for the io thread, which a timer that lives on would never let go.
}

CAF_TEST_FIXTURE_SCOPE_END()
