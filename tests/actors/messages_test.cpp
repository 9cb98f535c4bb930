#define CAF_SUITE actors.messages

#include "actors/messages.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

#include "actor_fixture.hpp"

using namespace troupe;

namespace {

struct fixture : test::actor_fixture {
  /// Sends a value over the wire as part of a message: an unregistered type would get lost here.
  template <class T>
  T across(const T& value) {
    std::vector<char> bytes;
    caf::binary_serializer sink{sys, bytes};
    auto out = caf::make_message(value);
    CAF_REQUIRE(!sink(out));
    caf::message in;
    caf::binary_deserializer source{sys, bytes};
    CAF_REQUIRE(!source(in));
    CAF_REQUIRE(in.match_elements<T>());
    return in.get_as<T>(0);
  }
};

usage_record record_of(uint8_t n) {
  usage_record record;
  record.id.bytes[0] = n;
  record.tenant = "t";
  record.function = "f";
  record.status = invocation_status::timeout;
  record.trigger = trigger_kind::api;
  record.start_ns = -5;
  record.run_ns = 77;
  record.cost_pico = ~0ull;
  return record;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(messages_tests, fixture)

CAF_TEST(values arrive as they were sent) {
  const auto version = test::version_of("echo");
  CAF_CHECK(across(version) == version);
  CAF_CHECK(across(version.config) == version.config);
  CAF_CHECK(across(version.revision) == version.revision);
  CAF_CHECK(across(version.bundle) == version.bundle);
  CAF_CHECK(across(record_of(1)) == record_of(1));
  CAF_CHECK(across(std::vector{version}) == std::vector{version});
  CAF_CHECK((across(std::vector{record_of(1), record_of(2)}) == std::vector{record_of(1), record_of(2)}));
  usage_row row{"t", "f", 5, {}};
  row.totals.add(record_of(1));
  CAF_CHECK(across(std::vector{row}) == std::vector{row});
}

CAF_TEST(an invocation takes its whole function along) {
  auto call = test::call_of("echo", "{\"a\":1}");
  call.function = function_ptr{test::version_of("echo")};
  call.wants_log = true;
  call.received_ns = 42;
  const auto copy = across(call);
  CAF_CHECK_EQUAL(copy.payload, call.payload);
  CAF_CHECK(copy.id == call.id);
  CAF_CHECK(copy.wants_log);
  CAF_CHECK_EQUAL(copy.received_ns, 42);
  CAF_REQUIRE(copy.function);
  CAF_CHECK(*copy.function == *call.function);
}

CAF_TEST(an invocation without a function travels too) {
  CAF_CHECK(!across(test::call_of("echo")).function);
}

CAF_TEST(outcomes and answers of the node travel) {
  const outcome result{uuid::make(), invocation_status::error, "{}", "log", "$LATEST", 12, true, worker_load{3, 4}};
  const auto copy = across(result);
  CAF_CHECK(copy.id == result.id);
  CAF_CHECK(copy.status == result.status);
  CAF_CHECK_EQUAL(copy.log_tail, "log");
  CAF_REQUIRE(copy.load);
  CAF_CHECK_EQUAL(copy.load->waiting, 4u);
  worker_status status;
  status.busy = 3;
  const auto busy = across(status).busy;
  CAF_CHECK_EQUAL(busy, 3u);
  ledger_filter filter;
  filter.function = "x";
  const auto function = across(filter).function;
  CAF_CHECK_EQUAL(function, "x");
  const auto report = across(verify_report{2, 1, {"f"}});
  CAF_CHECK_EQUAL(report.faults.size(), 1u);
  function_metrics seen;
  seen.run.add(7);
  const auto metrics = across(std::vector{seen});
  CAF_CHECK_EQUAL(metrics.front().run.counts, seen.run.counts);
}

CAF_TEST(a change carries only what is set) {
  function_change change;
  change.memory_mb = 256u;
  change.zip = std::string{"PK"};
  const auto copy = across(change);
  CAF_REQUIRE(copy.memory_mb);
  CAF_CHECK_EQUAL(*copy.memory_mb, 256u);
  CAF_REQUIRE(copy.zip);
  CAF_CHECK_EQUAL(*copy.zip, "PK");
  CAF_CHECK(!copy.handler);
  CAF_CHECK(!copy.environment);
}

CAF_TEST(errors keep their code and their words) {
  const auto error = make_error(errc::too_many_requests, "slow down");
  const auto copy = across(error);
  CAF_CHECK(code_of(copy) == errc::too_many_requests);
  CAF_CHECK_EQUAL(what_of(copy), "slow down");
}

CAF_TEST_FIXTURE_SCOPE_END()
