#define CAF_SUITE actors.worker_notices

#include "worker_fixture.hpp"

#include <caf/forwarding_actor_proxy.hpp>

using namespace troupe;
using namespace std::chrono_literals;

// What a worker tells balancers of invocations with tickets, and whose it no longer begins.

namespace {

/// What a balancer on another node hears of a worker.
struct heard {
  std::vector<std::string> words;
  std::vector<uint64_t> signs_of_life;
  caf::error refused;
  uint32_t answers = 0;
  caf::optional<worker_load> load; ///< with the latest of them
};

/// Takes what a proxy would send over the wire.
caf::behavior wire(caf::event_based_actor* self, heard* by) {
  self->set_default_handler(caf::drop);
  return {[by](caf::forward_atom, const caf::strong_actor_ptr&, const std::vector<caf::strong_actor_ptr>&,
               const caf::strong_actor_ptr&, caf::message_id, const caf::message& content) {
    caf::message_handler{
      [by](atom::queued, uint64_t ticket) { by->words.push_back("queued " + std::to_string(ticket)); },
      [by](atom::begun, uint64_t ticket) { by->words.push_back("begun " + std::to_string(ticket)); },
      [by](atom::remaining, const uuid&, uint32_t left) { by->words.push_back("left " + std::to_string(left)); },
      [by](atom::alive, uint64_t number) { by->signs_of_life.push_back(number); },
      [by](const outcome& result) {
        ++by->answers;
        by->load = result.load;
      },
      [by](const caf::error& why) { by->refused = why; },
    }(const_cast<caf::message&>(content));
  }};
}

struct fixture : test::worker_fixture {
  fixture() {
    auto id = caf::make_node_id(7, caf::string_view{"0011223344556677889900112233445566778899"});
    CAF_REQUIRE(id);
    caf::actor_config config;
    balancer = caf::make_actor<caf::forwarding_actor_proxy, caf::strong_actor_ptr>(caf::actor_id{77}, *id, &sys, config,
                                                                                   sys.spawn(wire, &by));
  }

  void follow() { tell(atom::follow::value, caf::actor_cast<dispatcher_actor>(balancer)); }

  /// An invocation of that balancer.
  void send(uint64_t ticket, const function_version& version = test::version_of("echo", 1)) {
    auto call = test::call_of("echo");
    call.function = function_ptr{version};
    call.ticket = ticket;
    const auto id = caf::make_message_id(ticket);
    worker->enqueue(caf::make_mailbox_element(balancer, id, {}, atom::invoke::value, std::move(call)), nullptr);
    settle();
  }

  worker_state& inside() {
    return dynamic_cast<caf::stateful_actor<worker_state, worker_inner::base>&>(
             *caf::actor_cast<caf::abstract_actor*>(worker))
      .state;
  }

  void fall_silent() {
    for (auto& each : inside().followers)
      each.heard_until = {};
  }

  heard by;
  caf::strong_actor_ptr balancer;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(worker_notices_tests, fixture)

CAF_TEST(who waits for a sandbox is told so and when it begins) {
  follow();
  send(5);
  CAF_CHECK(by.words == std::vector<std::string>{"queued 5"});
  seen.handlers.back().say(wire::frame_kind::ready);
  settle();
  CAF_CHECK((by.words == std::vector<std::string>{"queued 5", "begun 5"}));
  CAF_REQUIRE(seen.handlers.back().event());
  reply(seen.handlers.back(), "1");
  CAF_CHECK_EQUAL(by.answers, 1u);
}

CAF_TEST(what begins at once costs no notice) {
  auto& handler = warm();
  follow();
  send(6);
  CAF_CHECK(handler.event());
  CAF_CHECK(by.words.empty());
}

CAF_TEST(an answer tells what else the worker has to do) {
  auto& handler = warm();
  follow();
  for (uint64_t ticket : {20, 21})
    send(ticket);
  CAF_REQUIRE(handler.event());
  reply(handler, "1");
  CAF_REQUIRE(by.load);
  CAF_CHECK_EQUAL(by.load->running, 0u);
  CAF_CHECK_EQUAL(by.load->waiting, 1u);
}

CAF_TEST(without a ticket nobody is told) {
  follow();
  send(0);
  CAF_CHECK(by.words.empty());
}

CAF_TEST(the end of a sandbox is told) {
  auto& handler = warm();
  follow();
  handler.answers.reset();
  settle();
  CAF_CHECK(by.words == std::vector<std::string>{"left 0"});
}

CAF_TEST(a balancer that nobody has heard lately gets nothing begun) {
  auto& handler = warm();
  send(8);
  CAF_CHECK(code_of(by.refused) == errc::shutting_down);
  follow();
  send(9);
  CAF_CHECK(handler.event());
  by.refused = caf::none;
  fall_silent();
  send(10);
  CAF_CHECK(code_of(by.refused) == errc::shutting_down);
}

CAF_TEST(what has waited through a silence is not begun and the next one is) {
  auto& handler = warm();
  follow();
  send(11);
  CAF_REQUIRE(handler.event());
  auto version = test::version_of("echo", 1);
  for (uint64_t ticket : {12, 13})
    send(ticket, version);
  fall_silent();
  reply(handler, "1");
  CAF_CHECK_EQUAL(by.answers, 1u);
  CAF_CHECK(code_of(by.refused) == errc::shutting_down);
  CAF_CHECK(!handler.event());
  const auto local = invoke("7");
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "7");
}

CAF_TEST(signs of life count by the time at which they were asked for) {
  follow();
  CAF_REQUIRE_EQUAL(by.signs_of_life.size(), 1u);
  fall_silent();
  const auto answer = [&](uint64_t number) {
    worker->enqueue(caf::make_mailbox_element(balancer, caf::make_message_id(), {}, atom::alive::value, number),
                    nullptr);
    settle();
    return inside().followers.at(0).heard_until;
  };
  const auto second = std::chrono::nanoseconds{1s}.count();
  const auto number_asked = by.signs_of_life[0];
  CAF_CHECK(answer(number_asked - static_cast<uint64_t>(second)) < std::chrono::steady_clock::now());
  CAF_CHECK(answer(number_asked) > std::chrono::steady_clock::now());
  // One from the future is none.
  fall_silent();
  CAF_CHECK(answer(number_asked + 1'000 * static_cast<uint64_t>(second)) < std::chrono::steady_clock::now());
}

CAF_TEST(balancers are asked again and again until they are gone) {
  follow();
  sched.trigger_timeouts();
  settle();
  CAF_CHECK_EQUAL(by.signs_of_life.size(), 2u);
  dynamic_cast<caf::actor_proxy&>(*caf::actor_cast<caf::abstract_actor*>(balancer))
    .kill_proxy(nullptr, caf::exit_reason::remote_link_unreachable);
  settle();
  CAF_CHECK(inside().followers.empty());
  while (sched.has_pending_timeout())
    sched.trigger_timeouts();
  settle();
  CAF_CHECK_EQUAL(by.signs_of_life.size(), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
