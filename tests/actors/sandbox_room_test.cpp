#define CAF_SUITE actors.sandbox_room

#include "pool_fixture.hpp"

#include <algorithm>
#include <utility>

using namespace troupe;
using namespace troupe::test;

CAF_TEST_FIXTURE_SCOPE(sandbox_room_tests, pool_fixture)

// -- limits and fairness ----------------------------------------------------------------------------------------------

CAF_TEST(a function runs no more often at one time than it may) {
  auto f = function(1);
  f.config.concurrency_max = 1;
  submit(f, 1);
  CAF_CHECK_EQUAL(submit(f, 2), lines{});
  CAF_CHECK_EQUAL(ready(0), lines{"give 0 1"});
  CAF_CHECK_EQUAL(idle(0, 20ms), lines{"give 0 2"});
  CAF_CHECK_EQUAL(submit(f, 3), lines{});
  now += 10s;
  const auto late = pool.expire(now);
  CAF_REQUIRE_EQUAL(late.size(), 1u);
  CAF_CHECK(late[0].reason == throttle::function_concurrency);
}

CAF_TEST(a function with a concurrency of zero takes nothing) {
  auto f = function(1);
  f.config.concurrency_max = 0;
  CAF_CHECK(refused(f, 1) == throttle::function_concurrency);
  CAF_CHECK(pool.empty());
}

CAF_TEST(a tenant runs no more at one time than it may) {
  make([](auto& settings) { settings.tenants["a"].concurrency = 1; });
  CAF_CHECK_EQUAL(submit(function_of("a", 1), 1), lines{"start 0"});
  CAF_CHECK_EQUAL(submit(function_of("a", 2), 2), lines{});
  CAF_CHECK_EQUAL(submit(function_of("b", 3), 3), lines{"start 1"});
  CAF_CHECK_EQUAL(ready(0), lines{"give 0 1"});
  now += 10s;
  const auto late = pool.expire(now);
  CAF_REQUIRE_EQUAL(late.size(), 2u);
  const auto of_a = std::ranges::find(late, 2u, &sandbox_pool::expired::call);
  CAF_REQUIRE(of_a != late.end());
  CAF_CHECK(of_a->reason == throttle::tenant_concurrency);
}

CAF_TEST(who waits for a start is told the limit that is in its way) {
  make([](auto& settings) { settings.tenants["a"].concurrency = 1; });
  auto limited = function(9);
  limited.config.concurrency_max = 1;
  submit(limited, 1);
  submit(limited, 2);
  submit(function_of("a", 1), 3);
  submit(function_of("a", 1), 4);
  submit(function_of("b", 2), 5);
  now += 10s;
  const auto late = pool.expire(now); // while all sandboxes are starting
  CAF_REQUIRE_EQUAL(late.size(), 5u);
  const auto reason_of = [&](call_ticket call) {
    return std::ranges::find(late, call, &sandbox_pool::expired::call)->reason;
  };
  CAF_CHECK(reason_of(2) == throttle::function_concurrency);
  CAF_CHECK(reason_of(4) == throttle::tenant_concurrency);
  CAF_CHECK(reason_of(5) == throttle::waited_too_long);
}

CAF_TEST(who waits for the own start of a limited function is told no limit) {
  make([](auto& settings) { settings.tenants["a"].concurrency = 1; });
  auto f = function_of("a", 1);
  f.config.concurrency_max = 1;
  submit(f, 1);
  now += 10s;
  const auto late = pool.expire(now);
  CAF_REQUIRE_EQUAL(late.size(), 1u);
  CAF_CHECK(late[0].reason == throttle::waited_too_long);
}

CAF_TEST(a function that may run more often at one time does so at once) {
  auto f = function_of("a", 1);
  f.config.concurrency_max = 1;
  submit(f, 1);
  ready(0);
  idle(0, 20ms);
  submit(f, 2);
  CAF_CHECK_EQUAL(submit(f, 3), lines{});
  pool.limit("b", "f1", 2); // another tenant's
  CAF_CHECK_EQUAL(actions(), lines{});
  pool.limit("a", "f1", 2);
  CAF_CHECK_EQUAL(actions(), lines{"start 1"});
}

CAF_TEST(a function that may run less often at one time starts nothing more) {
  auto f = function_of("a", 1);
  submit(f, 1);
  ready(0);
  idle(0, 20ms);
  submit(f, 2);
  CAF_CHECK_EQUAL(submit(f, 3), lines{"start 1"});
  pool.limit("a", "f1", 1);
  CAF_CHECK_EQUAL(ready(1), lines{});
  CAF_CHECK_EQUAL(idle(0, 20ms), lines{"give 0 3"});
}

CAF_TEST(a tenant has no more memory than it may and makes room by itself) {
  make([](auto& settings) { settings.tenants["a"].memory_bytes = 128 * limits::mib; });
  submit(function_of("a", 1), 1);
  ready(0);
  CAF_CHECK_EQUAL(submit(function_of("a", 2), 2), lines{});
  CAF_CHECK_EQUAL(submit(function_of("b", 3), 3), lines{"start 1"});
  ready(1);
  idle(1, 5ms);
  CAF_CHECK_EQUAL(idle(0, 5ms), lines{"stop 0"}); // its own, not the one of the other
  CAF_CHECK_EQUAL(gone(0), lines{"start 0"});
}

CAF_TEST(who waits of two tenants is served in turn) {
  make([](auto& settings) { settings.launches_max = 1; });
  for (uint8_t n = 1; n <= 4; ++n)
    CAF_CHECK(!pool.submit(function_of("a", n), n, now).refused);
  CAF_CHECK(!pool.submit(function_of("b", 9), 9, now).refused);
  CAF_CHECK_EQUAL(actions(), lines{"start 0"});
  CAF_CHECK_EQUAL(ready(0), (lines{"start 1", "give 0 1"})); // its start was charged
  CAF_CHECK_EQUAL(ready(1), (lines{"give 1 9", "start 2"})); // not the fifth
}

CAF_TEST(a flood of short runs leaves a place for another tenant) {
  make([](auto& settings) { settings.width = 1; });
  const auto a = function_of("a", 1);
  const auto b = function_of("b", 2);
  for (const auto& [f, slot] : {std::pair{a, 0u}, std::pair{b, 1u}}) {
    submit(f, slot + 100);
    ready(slot);
    idle(slot, 50us);
  }
  CAF_CHECK_EQUAL(submit(a, 1), lines{"give 0 1"});
  CAF_CHECK_EQUAL(submit(a, 2), lines{});
  CAF_CHECK_EQUAL(submit(b, 3), lines{"give 1 3"});
}

CAF_TEST(a full queue pushes out the newest of the tenant that fills it) {
  make([](auto& settings) {
    settings.launches_max = 0;
    settings.queue_limit = 4;
  });
  for (call_ticket call = 1; call <= 4; ++call)
    submit(function_of("a", 1), call);
  CAF_CHECK(refused(function_of("a", 1), 5) == throttle::queue_full);
  const auto admitted = pool.submit(function_of("b", 2), 6, now);
  CAF_CHECK(!admitted.refused);
  CAF_CHECK(admitted.pushed_out == call_ticket{4});
  CAF_CHECK_EQUAL(pool.waiting(), 4u);
}

CAF_TEST(weights divide a full queue) {
  make([](auto& settings) {
    settings.launches_max = 0;
    settings.queue_limit = 4;
    settings.tenants["a"].weight = 3;
  });
  for (call_ticket call = 1; call <= 4; ++call)
    submit(function_of("a", 1), call);
  CAF_CHECK(pool.submit(function_of("b", 2), 5, now).pushed_out == call_ticket{4});
  CAF_CHECK(refused(function_of("b", 2), 6) == throttle::queue_full); // a has three for its weight of three
}

CAF_TEST(sandboxes are kept for the function that has reserved them) {
  make([](auto& settings) { settings.sandboxes_max = 2; });
  auto reserved = function(1);
  reserved.config.name = "reserved";
  pool.reserve("default", "reserved", 1, 128 * limits::mib);
  CAF_CHECK_EQUAL(submit(function(2), 2), lines{"start 0"});
  ready(0);
  CAF_CHECK_EQUAL(submit(function(3), 3), lines{});
  CAF_CHECK_EQUAL(submit(reserved, 1), lines{"start 1"});
  ready(1);
  idle(1, 5ms); // nor does its idle one make room
  CAF_CHECK_EQUAL(actions(), lines{});
  pool.reserve("default", "reserved", 0, 0);
  CAF_CHECK_EQUAL(actions(), (lines{"stop 1", "start 2"}));
}

CAF_TEST(an idle sandbox of an old revision does not take the place of the new one) {
  auto old_one = function(1);
  auto new_one = function(2);
  old_one.config.concurrency_max = new_one.config.concurrency_max = 1;
  submit(old_one, 1);
  ready(0);
  idle(0, 5ms);
  CAF_CHECK_EQUAL(submit(new_one, 2), (lines{"stop 0", "start 1"}));
}

CAF_TEST(who dies in a run has used the time) {
  make([](auto& settings) { settings.launches_max = 1; });
  submit(function_of("a", 1), 1);
  ready(0);
  submit(function_of("a", 2), 2); // its sandbox is the one that is starting
  submit(function_of("a", 3), 3);
  for (uint8_t n = 11; n <= 13; ++n)
    submit(function_of("b", n), n);
  now += 5s;
  gone(0);
  std::vector<std::string> gives;
  for (const sandbox_slot slot : {1u, 0u, 2u, 3u, 4u})
    for (const auto& action : ready(slot))
      if (action.starts_with("give"))
        gives.push_back(action);
  CAF_CHECK_EQUAL(gives, (lines{"give 1 2", "give 0 11", "give 2 12", "give 3 13", "give 4 3"}));
}

// -- memory ----------------------------------------------------------------------------------------------------------

CAF_TEST(a sandbox that stands still counts with what it holds) {
  make([](auto& settings) { settings.memory_bytes = 256 * limits::mib; });
  for (uint8_t n = 0; n < 10; ++n) {
    submit(function(n + 1), n + 1);
    ready(n);
    idle(n, 5ms);
    pool.frozen(n, 4 * limits::mib);
  }
  CAF_CHECK_EQUAL(pool.count(pool_state::idle), 10u);
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 40 * limits::mib);
  CAF_CHECK_EQUAL(submit(function(1), 20), lines{"give 0 20"});
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 164 * limits::mib);
  const auto done = submit(function(2), 21);
  CAF_REQUIRE(!done.empty());
  CAF_CHECK_EQUAL(done.front(), "stop 2"); // for 124 MiB more some have to go
}

CAF_TEST(what is cheap to make again and holds much goes first) {
  make([](auto& settings) { settings.memory_bytes = 512 * limits::mib; });
  submit(function(1), 1);
  now += 300ms; // this one takes long to load
  ready(0);
  submit(function(2), 2);
  now += 2ms;
  ready(1);
  idle(1, 5ms);
  idle(0, 5ms);
  pool.frozen(0, 10 * limits::mib);
  pool.frozen(1, 10 * limits::mib);
  CAF_CHECK_EQUAL(submit(function(3, 500), 3), lines{"stop 1"});
}

CAF_TEST(what is used often stays longer) {
  make([](auto& settings) { settings.memory_bytes = 512 * limits::mib; });
  for (uint8_t n = 0; n < 2; ++n) {
    submit(function(n + 1), n + 1);
    now += 2ms;
    ready(n);
    idle(n, 5ms);
  }
  for (call_ticket call = 10; call < 20; ++call) {
    submit(function(1), call);
    idle(0, 5ms);
  }
  now += 1s;
  submit(function(2), 20); // used later, but seldom
  idle(1, 5ms);
  pool.frozen(0, 10 * limits::mib);
  pool.frozen(1, 10 * limits::mib);
  CAF_CHECK_EQUAL(submit(function(3, 500), 3), lines{"stop 1"});
}

CAF_TEST(blank sandboxes go when memory is short and come back when it is not ) {
  make([](auto& settings) {
    settings.memory_bytes = 300 * limits::mib;
    settings.blank_bytes = 50 * limits::mib;
  });
  submit(function(1), 1);
  CAF_CHECK_EQUAL(submit(function(2), 2), (lines{"no blanks", "start 1"}));
  ready(0);
  ready(1);
  idle(0, 5ms);
  CAF_CHECK_EQUAL(idle(1, 5ms), lines{});
  pool.frozen(0, 4 * limits::mib);
  CAF_CHECK_EQUAL(actions(), lines{"blanks"});
}

CAF_TEST_FIXTURE_SCOPE_END()
