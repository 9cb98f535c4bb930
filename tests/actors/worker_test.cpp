#define CAF_SUITE actors.worker

#include "worker_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;

// How invocations run.

CAF_TEST_FIXTURE_SCOPE(actors_worker_tests, test::worker_fixture)

CAF_TEST(a cold invocation starts a sandbox and gets its answer) {
  const auto answer = invoke("{\"n\":1}");
  CAF_REQUIRE_EQUAL(seen.specs.size(), 1u);
  CAF_CHECK_EQUAL(seen.specs[0].handler, "f.f");
  CAF_CHECK(seen.specs[0].bundle_dir.starts_with("/bundles/01"));
  CAF_CHECK(!answer->result);
  auto& handler = seen.handlers.back();
  handler.say(wire::frame_kind::ready);
  settle();
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "{\"n\":1}");
  handler.print("hello\n");
  reply(handler, "{\"n\":2}");
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(answer->result->payload, "{\"n\":2}");
  CAF_CHECK(answer->result->status == invocation_status::ok);
  CAF_CHECK(answer->result->log_tail.find("\nhello\nEND") != std::string::npos);
}

CAF_TEST(the next invocation finds the sandbox warm) {
  auto& handler = warm();
  const auto answer = invoke("7");
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "7");
  reply(handler, "8");
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(seen.specs.size(), 1u);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 2u);
  CAF_CHECK_GREATER(stored[0].init_ns, 0u);
  CAF_CHECK_EQUAL(stored[1].init_ns, 0u);
  CAF_CHECK_EQUAL(stored[1].bytes_in, 1u);
  CAF_CHECK_EQUAL(stored[1].bytes_out, 1u);
}

CAF_TEST(an answer in pieces is one answer) {
  auto& handler = warm();
  const auto answer = invoke();
  const std::string payload(100'000, 'x');
  std::string bytes;
  wire::encode_reply(bytes, {wire::frame_kind::result, wire::reply_flag::none}, payload.size());
  bytes += payload;
  for (size_t at = 0; at < bytes.size(); at += 33'333) {
    const auto piece = bytes.substr(at, 33'333);
    CAF_REQUIRE_EQUAL(write(handler.answers.get(), piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
    settle();
  }
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(answer->result->payload.size(), payload.size());
}

CAF_TEST(what a handler raises is an outcome) {
  auto& handler = warm();
  const auto answer = invoke();
  reply(handler, "{\"errorType\":\"ValueError\"}", wire::reply_flag::raised);
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::error);
}

CAF_TEST(an event that is no JSON is the fault of its sender and is billed) {
  auto& handler = warm();
  const auto answer = invoke("{");
  reply(handler, "line 1 column 2", wire::reply_flag::invalid_event);
  CAF_CHECK(code_of(answer->error) == errc::invalid_payload);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 2u);
  CAF_CHECK(stored[1].status == invocation_status::error);
  CAF_CHECK_GREATER(stored[1].cost_pico, 0u);
}

CAF_TEST(a handler that does not load answers with its own words) {
  const auto answer = invoke();
  seen.handlers.back().say(wire::frame_kind::failed, wire::reply_flag::none,
                           "{\"errorType\":\"Runtime.ImportModuleError\"}");
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::error);
  CAF_CHECK_EQUAL(answer->result->payload, "{\"errorType\":\"Runtime.ImportModuleError\"}");
  CAF_CHECK_EQUAL(seen.buried, 1u);
}

CAF_TEST(a sandbox that cannot be made is the fault of the node) {
  seen.broken = true;
  const auto answer = invoke();
  CAF_CHECK(code_of(answer->error) == errc::sandbox_failed);
}

CAF_TEST(a full queue refuses and records that) {
  for (int i = 0; i < 4; ++i)
    invoke();
  const auto refused = invoke();
  CAF_CHECK(code_of(refused->error) == errc::too_many_requests);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 1u);
  CAF_CHECK(stored[0].status == invocation_status::throttled);
  CAF_CHECK_EQUAL(stored[0].cost_pico, 0u);
}

CAF_TEST(a maximum concurrency that is raised counts for those who wait) {
  auto limited = test::version_of("echo");
  limited.config.concurrency_max = 1;
  invoke("{}", limited);
  invoke("{}", limited);
  CAF_CHECK_EQUAL(seen.handlers.size(), 1u);
  limited.config.concurrency_max = 2;
  tell(atom::update::value, function_ptr{limited});
  CAF_CHECK_EQUAL(seen.handlers.size(), 2u);
}

CAF_TEST(records can be stored before the answer leaves) {
  start([](auto& settings) { settings.flush_interval = 0ms; });
  warm();
  CAF_CHECK_EQUAL(stored.size(), 1u);
}

CAF_TEST(an event larger than the pipe is written as the handler reads) {
  auto& handler = warm();
  const std::string event = "\"" + std::string(300'000, 'x') + "\"";
  const auto answer = invoke(event);
  caf::optional<std::string> got;
  for (int turn = 0; turn < 1000 && !got; ++turn) {
    if (auto text = handler.event())
      got = std::move(*text);
    settle();
  }
  CAF_REQUIRE(got);
  CAF_CHECK(*got == event);
  reply(handler, "1");
  CAF_CHECK(answer->result);
}

CAF_TEST_FIXTURE_SCOPE_END()
