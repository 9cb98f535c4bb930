#define CAF_SUITE actors.burning_runs

#include "pool_fixture.hpp"

// How the pool treats runs that burn CPU: they share the cores, and nobody else waits for them.

using namespace troupe;
using namespace troupe::test;

CAF_TEST_FIXTURE_SCOPE(burning_runs_tests, pool_fixture)

CAF_TEST(of a function that burns CPU no more runs go on than there are cores) {
  make([](auto& settings) { settings.cores = 2; });
  const auto f = function(1);
  for (call_ticket call = 1; call <= 4; ++call)
    submit(f, call);
  for (sandbox_slot slot = 0; slot < 4; ++slot)
    ready(slot);
  for (sandbox_slot slot = 0; slot < 4; ++slot) // nothing was known, so all of them ran
    burnt(slot, 5ms);
  CAF_CHECK_EQUAL(submit(f, 5), lines{"give 0 5"});
  CAF_CHECK_EQUAL(submit(f, 6), lines{"give 1 6"});
  CAF_CHECK_EQUAL(submit(f, 7), lines{});
  now += 100ms; // a run that burns counts for as long as it lasts
  CAF_CHECK_EQUAL(actions(), lines{});
  CAF_CHECK_EQUAL(burnt(1, 5ms), lines{"give 1 7"});
}

CAF_TEST(of a function that waits all run and one burning run is no more than an exception) {
  make([](auto& settings) { settings.cores = 1; });
  const auto f = function(1);
  for (call_ticket call = 1; call <= 3; ++call)
    submit(f, call);
  for (sandbox_slot slot = 0; slot < 3; ++slot)
    ready(slot);
  idle(0, 5ms, 100us);
  burnt(1, 5ms);
  idle(2, 5ms, 3ms); // most of its time, but others could have had a core for the rest
  CAF_CHECK_EQUAL(submit(f, 4), lines{"give 0 4"});
  CAF_CHECK_EQUAL(submit(f, 5), lines{"give 1 5"});
  CAF_CHECK_EQUAL(submit(f, 6), lines{"give 2 6"});
}

CAF_TEST(a function that burns gets no more sandboxes than cores however long its queue) {
  make([](auto& settings) { settings.cores = 2; });
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  burnt(0, 5ms);
  submit(f, 2);
  burnt(0, 5ms);
  for (call_ticket call = 3; call < 10; ++call)
    submit(f, call);
  now += 3ms;
  CAF_CHECK_EQUAL(actions(), lines{"start 1"});
  CAF_CHECK_EQUAL(ready(1), lines{"give 1 4"});
  now += 100ms;
  CAF_CHECK_EQUAL(actions(), lines{});
}

CAF_TEST(each tenant may burn one core whatever the others do and then they take turns) {
  make([](auto& settings) { settings.cores = 1; });
  const auto a = function_of("a", 1);
  const auto b = function_of("b", 2);
  call_ticket call = 1;
  for (int turn = 0; turn < 2; ++turn) {
    submit(a, call++);
    ready(0);
    burnt(0, 5ms);
    submit(b, call++);
    ready(1);
    burnt(1, 5ms);
  }
  CAF_CHECK_EQUAL(submit(a, 10), lines{"give 0 10"});
  CAF_CHECK_EQUAL(submit(a, 11), lines{});
  CAF_CHECK_EQUAL(submit(b, 20), lines{"give 1 20"});
  CAF_CHECK_EQUAL(submit(b, 21), lines{});
  CAF_CHECK_EQUAL(burnt(0, 5ms), lines{"give 0 11"});
  CAF_CHECK_EQUAL(burnt(1, 5ms), lines{"give 1 21"});
}

CAF_TEST(a burning run that lasts much longer than usual counts no more) {
  make([](auto& settings) { settings.cores = 1; });
  const auto f = function(1);
  submit(f, 1);
  submit(f, 2);
  ready(0);
  ready(1);
  burnt(0, 5ms);
  burnt(1, 5ms);
  CAF_CHECK_EQUAL(submit(f, 3), lines{"give 0 3"});
  CAF_CHECK_EQUAL(submit(f, 4), lines{});
  now += 900ms;
  CAF_CHECK_EQUAL(actions(), lines{});
  now += 200ms; // it may be waiting for something this time
  CAF_CHECK_EQUAL(actions(), lines{"give 1 4"});
  idle(0, 0ns);
  CAF_CHECK_EQUAL(submit(f, 5), lines{}); // and what has outgrown its count takes none with it
}

CAF_TEST(who waits for a core may wait longer) {
  make([](auto& settings) {
    settings.cores = 1;
    settings.wait_max = 10s;
    settings.wait_for_core_max = 60s;
  });
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  burnt(0, 20s);
  submit(f, 2);
  burnt(0, 20s);
  submit(f, 3);
  submit(f, 4);
  now += 59s;
  CAF_CHECK(pool.expire(now).empty());
  now += 1s;
  const auto late = pool.expire(now);
  CAF_REQUIRE_EQUAL(late.size(), 1u);
  CAF_CHECK_EQUAL(late[0].call, 4u);
}

CAF_TEST_FIXTURE_SCOPE_END()
