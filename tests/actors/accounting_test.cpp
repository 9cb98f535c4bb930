#define CAF_SUITE actors.accounting

#include "actors/accounting.hpp"

#include "actor_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using cause = handlers::sandbox_death::cause;

namespace {

invocation running(uint32_t memory_mb = 128) {
  auto call = test::call_of("echo");
  auto version = test::version_of("echo");
  version.config.memory_mb = memory_mb;
  call.function = function_ptr{version};
  return call;
}

} // namespace

CAF_TEST(a record says what was measured and what it costs) {
  const accountant books{{.granularity = 100ms, .price_per_gb_second_pico = 1'000'000, .price_per_request_pico = 7},
                         "n1"};
  const auto record =
    books.record(running(1024), {.status = invocation_status::ok, .queued = 1us, .init = 0us, .run = 101ms});
  CAF_CHECK_EQUAL(record.run_ns, 101'000'000u);
  CAF_CHECK_EQUAL(record.billed_ms, 200u);
  CAF_CHECK_EQUAL(record.cost_pico, 200'000u + 7u);
  CAF_CHECK_EQUAL(record.node, "n1");
  CAF_CHECK_EQUAL(record.bytes_in, 2u);
}

CAF_TEST(what was refused costs nothing) {
  const auto record = accountant{{}, "n1"}.throttled(running());
  CAF_CHECK(record.status == invocation_status::throttled);
  CAF_CHECK_EQUAL(record.billed_ms, 0u);
  CAF_CHECK_EQUAL(record.cost_pico, 0u);
}

CAF_TEST(a clock that was set back gives no negative times) {
  const auto record = accountant{{}, "n1"}.record(running(), {.queued = -5ms});
  CAF_CHECK_EQUAL(record.queued_ns, 0u);
}

CAF_TEST(the documents name type and reason) {
  const auto call = running();
  const auto has = [](const std::string& document, const char* text) {
    return document.find(text) != std::string::npos;
  };
  CAF_CHECK(has(failure_document(call, invocation_status::timeout, {}), "\"errorType\":\"Sandbox.Timedout\""));
  CAF_CHECK(has(failure_document(call, invocation_status::timeout, {}), "Task timed out after 3.00 seconds"));
  CAF_CHECK(has(failure_document(call, invocation_status::out_of_memory, {}), "Runtime.OutOfMemory"));
  CAF_CHECK(has(failure_document(call, invocation_status::crash, {cause::exited, 3, 0}), "exit status 3"));
  CAF_CHECK(has(failure_document(call, invocation_status::crash, {cause::exited, 0, 0}), "without providing a reason"));
  CAF_CHECK(has(failure_document(call, invocation_status::crash, {cause::signalled, 11, 0}), "SIGSEGV"));
  CAF_CHECK(has(failure_document(call, invocation_status::crash, {}), call.id.to_string().c_str()));
}

CAF_TEST(the log tail is framed and bounded) {
  const auto record = accountant{{}, "n1"}.record(running(), {.init = 5ms, .run = 1234us});
  const auto text = framed_log(record, "hello");
  CAF_CHECK(text.starts_with("START RequestId: " + record.id.to_string()));
  CAF_CHECK(text.find("\nhello\nEND RequestId: ") != std::string::npos);
  CAF_CHECK(text.find("Duration: 1.23 ms") != std::string::npos);
  CAF_CHECK(text.find("Billed Duration: 2 ms") != std::string::npos);
  CAF_CHECK(text.find("Init Duration: 5.00 ms") != std::string::npos);
  CAF_CHECK_EQUAL(framed_log(record, std::string(10'000, 'x')).size(), limits::log_tail_bytes);
}
