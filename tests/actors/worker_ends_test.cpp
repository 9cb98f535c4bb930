#define CAF_SUITE actors.worker_ends

#include "worker_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;

// How sandboxes, revisions and the worker end.

CAF_TEST_FIXTURE_SCOPE(actors_worker_ends_tests, test::worker_fixture)

CAF_TEST(a sandbox that breaks before its first run fails one invocation and not all who wait) {
  const auto first = invoke();
  const auto second = invoke();
  auto& handler = seen.handlers.front();
  handler.say(wire::frame_kind::ready);
  handler.say(wire::frame_kind::result, wire::reply_flag::none, "9"); // to no question
  settle();
  CAF_CHECK_EQUAL(seen.buried, 1u);
  const bool both = (first->result || first->error) && (second->result || second->error);
  CAF_CHECK(!both);
  const auto& failed = first->result ? first : second;
  CAF_REQUIRE(failed->result);
  CAF_CHECK(failed->result->status == invocation_status::crash);
}

CAF_TEST(a sandbox that was not set up is made once more and nobody pays) {
  const auto answer = invoke();
  seen.death.never_set_up = "set up the sandbox: mount /proc: Operation not permitted";
  seen.handlers.front().answers.reset();
  settle();
  CAF_CHECK(!answer->error);
  CAF_REQUIRE_EQUAL(seen.specs.size(), 2u);
  seen.death.never_set_up.clear();
  auto& second = seen.handlers.back();
  second.say(wire::frame_kind::ready);
  settle();
  reply(second, "2");
  CAF_REQUIRE(answer->result);
  tell(atom::flush::value);
  CAF_CHECK_EQUAL(stored.size(), 1u);
}

CAF_TEST(when the second is not set up either one who waits is told) {
  const auto answer = invoke();
  seen.death.never_set_up = "set up the sandbox: the process ended";
  for (int i = 0; i < 2; ++i) {
    seen.handlers.back().answers.reset();
    settle();
  }
  CAF_CHECK(code_of(answer->error) == errc::sandbox_failed);
  CAF_CHECK_EQUAL(what_of(answer->error), "the sandbox could not be started");
  CAF_CHECK_EQUAL(seen.specs.size(), 2u);
  tell(atom::flush::value);
  CAF_CHECK(stored.empty());
}

CAF_TEST(the launcher is asked to bury what has ended) {
  seen.with_process = true; // it checks that
  auto& handler = warm();
  handler.answers.reset();
  for (const auto end = std::chrono::steady_clock::now() + 20s; seen.buried == 0; settle())
    CAF_REQUIRE(std::chrono::steady_clock::now() < end);
}

CAF_TEST(a process that ends in a run is a crash) {
  auto& handler = warm();
  const auto answer = invoke();
  handler.answers.reset();
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::crash);
  CAF_CHECK(answer->result->payload.find("exit status 1") != std::string::npos);
  CAF_CHECK_EQUAL(seen.buried, 1u);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 2u);
  CAF_CHECK_EQUAL(stored[1].memory_peak_bytes, 5 * limits::mib);
}

CAF_TEST(running out of memory is told from a crash) {
  seen.death.why = handlers::sandbox_death::cause::out_of_memory;
  auto& handler = warm();
  const auto answer = invoke();
  handler.answers.reset();
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::out_of_memory);
}

CAF_TEST(garbage from a handler ends its sandbox) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE_EQUAL(write(handler.answers.get(), "\xff\xff\xff\xff\xff\xff\xff\xff", 8), 8);
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::crash);
}

CAF_TEST(a sandbox that ends while idle costs nobody anything) {
  auto& handler = warm();
  handler.answers.reset();
  settle();
  const auto answer = invoke();
  CAF_REQUIRE_EQUAL(seen.specs.size(), 2u);
  auto& second = seen.handlers.back();
  second.say(wire::frame_kind::ready);
  settle();
  reply(second, "2");
  CAF_CHECK(answer->result);
}

CAF_TEST(nothing of an actor stays when its sandbox has ended) {
  auto& handler = warm();
  handler.answers.reset();
  settle();
  CAF_REQUIRE_EQUAL(seen.buriers.size(), 1u);
  CAF_CHECK_EQUAL(seen.buriers[0]->strong_refs, 0u);
  CAF_CHECK_EQUAL(seen.buriers[0]->weak_refs, 1u); // that of this test
}

CAF_TEST(the bundle of a retired revision is released when its sandbox has gone) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE(handler.event());
  const auto version = test::version_of("echo");
  tell(atom::retire::value, version.revision, version.bundle);
  CAF_CHECK(released.empty());
  reply(handler, "1");
  CAF_CHECK(answer->result);
  CAF_CHECK_EQUAL(seen.buried, 1u);
  CAF_CHECK(released == std::vector{version.bundle});
}

CAF_TEST(a drain lets what runs finish and takes nothing new) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE(handler.event());
  const auto drained = drain(1h);
  CAF_CHECK(!*drained);
  CAF_CHECK(code_of(invoke()->error) == errc::shutting_down);
  reply(handler, "1");
  CAF_CHECK(answer->result);
  CAF_CHECK(*drained);
  CAF_CHECK_EQUAL(stored.size(), 2u);
}

CAF_TEST(a drain without patience ends what runs and what waits) {
  auto& handler = warm();
  const auto running = invoke();
  CAF_REQUIRE(handler.event());
  const auto waiting = invoke();
  const auto patient = drain(1h);
  CAF_CHECK(!*patient);
  const auto hurried = drain(0s);
  CAF_CHECK(code_of(running->error) == errc::node_lost);
  CAF_CHECK(code_of(waiting->error) == errc::shutting_down);
  CAF_CHECK(*patient);
  CAF_CHECK(*hurried);
}

CAF_TEST(an invocation that comes to a sandbox which has just ended runs in another) {
  auto& handler = warm();
  handler.answers.reset();
  test::poll_all(loop); // the sandbox hears of it, and the worker not yet
  const auto answer = invoke("7");
  CAF_REQUIRE_EQUAL(seen.handlers.size(), 2u);
  auto& second = seen.handlers.back();
  second.say(wire::frame_kind::ready);
  settle();
  CAF_CHECK_EQUAL(second.event().value_or("none"), "7");
  reply(second, "8");
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(answer->result->payload, "8");
}

CAF_TEST(a sandbox whose actor fails is buried and replaced) {
  warm();
  caf::anon_send_exit(actor_of(0), caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(seen.buried, 1u);
  invoke();
  CAF_CHECK_EQUAL(seen.handlers.size(), 2u);
}

CAF_TEST(a run whose actor fails is answered) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE(handler.event());
  caf::anon_send_exit(actor_of(0), caf::exit_reason::kill);
  settle();
  CAF_CHECK(code_of(answer->error) == errc::internal);
  CAF_CHECK_EQUAL(seen.buried, 1u);
}

CAF_TEST(a run whose actor fails while its process is buried is answered) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE(handler.event());
  handler.answers.reset();
  test::poll_all(loop); // the sandbox is told that its process has closed the channel,
  sched.prioritize(actor_of(0));
  sched.run_once(); // and asks the launcher
  caf::anon_send_exit(actor_of(0), caf::exit_reason::kill);
  sched.prioritize(actor_of(0));
  settle();
  CAF_CHECK(code_of(answer->error) == errc::internal);
}

CAF_TEST(an invocation that is given to an actor which has just failed is answered) {
  warm();
  const auto box = actor_of(0);
  const auto answer = ask();
  sched.run_once(); // the asker: the worker has the invocation, and then hears of the failure
  caf::anon_send_exit(box, caf::exit_reason::kill);
  CAF_REQUIRE(sched.prioritize(box));
  settle();
  CAF_CHECK(code_of(answer->error) == errc::unavailable);
  CAF_CHECK_EQUAL(seen.buried, 1u);
  const auto next = invoke();
  CAF_REQUIRE_EQUAL(seen.handlers.size(), 2u);
  seen.handlers.back().say(wire::frame_kind::ready);
  settle();
  reply(seen.handlers.back(), "1");
  CAF_CHECK(next->result);
}

CAF_TEST(an invocation that lies before an actor which fails is answered) {
  warm();
  const auto answer = ask();
  sched.run_once(); // the asker
  caf::anon_send_exit(actor_of(0), caf::exit_reason::kill);
  sched.run_once(); // the worker, which gives the invocation to one that has its end before it
  settle();
  CAF_CHECK(code_of(answer->error) == errc::unavailable);
  CAF_CHECK_EQUAL(seen.buried, 1u);
}

CAF_TEST(a bundle that two revisions share is released by the last one) {
  auto& handler = warm();
  const auto first = test::version_of("echo", 1);
  auto second = test::version_of("echo", 2);
  second.bundle = first.bundle;
  const auto other = invoke("{}", second);
  auto& of_second = seen.handlers.back();
  of_second.say(wire::frame_kind::ready);
  settle();
  CAF_REQUIRE(of_second.event());
  tell(atom::retire::value, second.revision, second.bundle);
  tell(atom::retire::value, first.revision, first.bundle);
  CAF_CHECK_EQUAL(seen.buried, 1u); // the first one was idle
  CAF_CHECK(released.empty());
  reply(of_second, "1");
  CAF_CHECK(other->result);
  CAF_CHECK(released == std::vector{first.bundle});
  CAF_CHECK(handler.have.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
