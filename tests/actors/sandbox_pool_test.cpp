#define CAF_SUITE actors.sandbox_pool

#include "pool_fixture.hpp"

using namespace troupe;
using namespace troupe::test;

CAF_TEST_FIXTURE_SCOPE(sandbox_pool_tests, pool_fixture)

CAF_TEST(the first invocation starts a sandbox and runs when it is ready) {
  const auto f = function(1);
  CAF_CHECK_EQUAL(submit(f, 1), lines{"start 0"});
  CAF_CHECK_EQUAL(pool.count(pool_state::starting), 1u);
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 128 * limits::mib);
  CAF_CHECK_EQUAL(ready(0), lines{"give 0 1"});
  CAF_CHECK_EQUAL(pool.count(pool_state::busy), 1u);
}

CAF_TEST(a warm sandbox takes the next invocation at once) {
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  CAF_CHECK_EQUAL(idle(0, 100us), lines{});
  CAF_CHECK_EQUAL(submit(f, 2), lines{"give 0 2"});
}

CAF_TEST(revisions do not share sandboxes) {
  submit(function(1), 1);
  ready(0);
  idle(0, 100us);
  CAF_CHECK_EQUAL(submit(function(2), 2), lines{"start 1"});
}

CAF_TEST(every invocation of a burst of long runs gets a sandbox) {
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  idle(0, 200ms);
  CAF_CHECK_EQUAL(submit(f, 2), lines{"give 0 2"});
  CAF_CHECK_EQUAL(submit(f, 3), lines{"start 1"});
  CAF_CHECK_EQUAL(submit(f, 4), lines{"start 2"});
  CAF_CHECK_EQUAL(ready(2), lines{"give 2 3"});
  CAF_CHECK_EQUAL(ready(1), lines{"give 1 4"});
}

CAF_TEST(a waiting invocation takes a sandbox that falls idle before the new one is ready) {
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  idle(0, 200ms);
  submit(f, 2);
  CAF_CHECK_EQUAL(submit(f, 3), lines{"start 1"});
  CAF_CHECK_EQUAL(idle(0, 200ms), lines{"give 0 3"});
  CAF_CHECK_EQUAL(ready(1), lines{});
}

CAF_TEST(short runs share a sandbox until somebody has waited for long) {
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  idle(0, 50us);
  CAF_CHECK_EQUAL(submit(f, 2), lines{"give 0 2"});
  CAF_CHECK_EQUAL(submit(f, 3), lines{});
  CAF_CHECK(pool.holding());
  now += 3ms;
  CAF_CHECK_EQUAL(actions(), lines{"start 1"});
}

CAF_TEST(who waits for its own sandbox is looked at when that is there or the wait too long) {
  const auto f = function(1);
  CAF_CHECK_EQUAL(submit(f, 1), lines{"start 0"});
  CAF_CHECK(!pool.holding());
  const auto begin = now;
  now += 1s;
  CAF_CHECK(pool.expire(now).empty());
  CAF_CHECK(pool.next_expiry() == begin + 10s);
  now += 9s;
  CAF_CHECK_EQUAL(pool.expire(now).size(), 1u);
  CAF_CHECK(pool.next_expiry() == sandbox_pool::time_point::max());
}

CAF_TEST(runs that are in each others way are short all the same) {
  make([](auto& settings) { settings.width = 1; });
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  idle(0, 50us);
  call_ticket call = 2;
  for (int turn = 0; turn < 100; ++turn) { // one in three has the machine for itself
    submit(f, call++);
    idle(0, turn % 3 == 0 ? 60us : 5ms);
  }
  submit(f, call++);
  CAF_CHECK_EQUAL(submit(f, call++), lines{});
  idle(0, 60us);
  idle(0, 60us);
  for (int turn = 0; turn < 100; ++turn) { // and this is another program
    submit(f, call++);
    idle(0, 5ms);
  }
  submit(f, call++);
  CAF_CHECK_EQUAL(submit(f, call++), lines{"start 1"});
}

CAF_TEST(of several idle sandboxes the lowest one runs) {
  const auto f = function(1);
  submit(f, 1);
  submit(f, 2);
  submit(f, 3);
  ready(0);
  ready(1);
  ready(2);
  idle(1, 20ms);
  idle(2, 20ms);
  idle(0, 20ms);
  CAF_CHECK_EQUAL(submit(f, 4), lines{"give 0 4"});
  CAF_CHECK_EQUAL(submit(f, 5), lines{"give 1 5"});
}

CAF_TEST(only as many short runs go on as the width allows and a long one counts no more) {
  make([](auto& settings) { settings.width = 1; });
  const auto f = function(1);
  submit(f, 1);
  submit(f, 2);
  ready(0);
  ready(1);
  idle(0, 50us);
  idle(1, 50us);
  CAF_CHECK_EQUAL(submit(f, 3), lines{"give 0 3"});
  CAF_CHECK_EQUAL(submit(f, 4), lines{});
  now += 2ms; // The run of 3 turns out to be a long one.
  CAF_CHECK_EQUAL(actions(), lines{"give 1 4"});
}

CAF_TEST(a long queue for short runs starts no more sandboxes than the width allows) {
  make([](auto& settings) { settings.width = 1; });
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  idle(0, 900us);
  for (call_ticket call = 2; call < 10; ++call)
    submit(f, call);
  for (int turn = 0; turn < 5; ++turn) // the last one has waited for more than 3 ms by then
    CAF_CHECK_EQUAL(idle(0, 900us).size(), 1u);
  now += 2ms; // This run turns out to be a long one: it takes no place from the short ones.
  CAF_CHECK_EQUAL(actions(), lines{"start 1"});
  CAF_CHECK_EQUAL(actions(), lines{});
}

CAF_TEST(a full queue and a function larger than the budget are refused) {
  make([](auto& settings) { settings.queue_limit = 1; });
  CAF_CHECK_EQUAL(submit(function(1), 1), lines{"start 0"});
  CAF_CHECK(refused(function(1), 2) == throttle::queue_full);
  ready(0);
  CAF_CHECK(refused(function(2, 2048), 3) == throttle::memory);
  CAF_CHECK_EQUAL(pool.waiting(), 0u);
}

CAF_TEST(the sandbox that has been idle for longest makes room) {
  make([](auto& settings) { settings.memory_bytes = 256 * limits::mib; });
  submit(function(1), 1);
  ready(0);
  submit(function(2), 2);
  ready(1);
  idle(1, 10ms);
  idle(0, 10ms);
  CAF_CHECK_EQUAL(submit(function(3), 3), lines{"stop 1"});
  CAF_CHECK_EQUAL(gone(1), lines{"start 1"});
}

CAF_TEST(without room an invocation waits until a busy sandbox ends) {
  make([](auto& settings) { settings.memory_bytes = 128 * limits::mib; });
  submit(function(1), 1);
  ready(0);
  CAF_CHECK_EQUAL(submit(function(2), 2), lines{});
  CAF_CHECK_EQUAL(idle(0, 10ms), lines{"stop 0"});
  CAF_CHECK_EQUAL(gone(0), lines{"start 0"});
}

CAF_TEST(nobody makes room where the room would not be enough) {
  submit(function(1, 800), 1);
  ready(0);
  submit(function(2), 2);
  ready(1);
  idle(1, 5ms);
  CAF_CHECK_EQUAL(submit(function(3, 500), 3), lines{}); // 800 of 1,024 MiB are busy
  CAF_CHECK_EQUAL(pool.count(pool_state::idle), 1u);
  CAF_CHECK_EQUAL(idle(0, 5ms), (lines{"stop 1", "stop 0"}));
}

CAF_TEST(who is submitted again is the next one even when the queue is full) {
  make([](auto& settings) { settings.queue_limit = 1; });
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  submit(f, 2);
  CAF_CHECK(refused(f, 3) == throttle::queue_full);
  pool.gone(0, now); // before it could run 1
  pool.submit_again(f, 1, now);
  CAF_CHECK_EQUAL(actions(), lines{"start 0"});
  CAF_CHECK_EQUAL(ready(0), lines{"give 0 1"});
}

CAF_TEST(no more sandboxes start at one time than the limit says) {
  make([](auto& settings) { settings.launches_max = 2; });
  submit(function(1), 1);
  submit(function(2), 2);
  CAF_CHECK_EQUAL(submit(function(3), 3), lines{});
  CAF_CHECK_EQUAL(ready(0), (lines{"give 0 1", "start 2"}));
}

CAF_TEST(sandboxes that load for long take no places from others) {
  make([](auto& settings) {
    settings.launches_max = 2;
    settings.loads_max = 8;
  });
  submit(function(1), 1);
  now += 50ms;
  submit(function(2), 2);
  now += 49ms;
  CAF_CHECK_EQUAL(submit(function(3), 3), lines{});
  CAF_CHECK(pool.holding());
  now += 1ms;
  CAF_CHECK_EQUAL(actions(), lines{"start 2"}); // two of the three are young
  CAF_CHECK_EQUAL(submit(function(4), 4), lines{});
  for (uint64_t number = 5; number < 20; ++number) {
    now += 200ms;
    submit(function(number), number);
  }
  CAF_CHECK_EQUAL(pool.count(pool_state::starting), 8u); // and no more, however long they load
}

CAF_TEST(a function that once loaded quickly keeps its places however long it takes and others get theirs) {
  make([](auto& settings) { settings.launches_max = 2; });
  const auto slow = function(1);
  submit(slow, 1);
  ready(0);
  CAF_CHECK_EQUAL(submit(slow, 2), lines{"start 1"});
  CAF_CHECK_EQUAL(submit(slow, 3), lines{"start 2"});
  CAF_CHECK_EQUAL(submit(slow, 4), lines{});
  now += 5s;
  CAF_CHECK_EQUAL(actions(), lines{});
  CAF_CHECK(pool.holding());
  CAF_CHECK_EQUAL(submit(function(2), 5), lines{"start 3"});
  CAF_CHECK_EQUAL(ready(1), (lines{"give 1 2", "start 4"}));
}

CAF_TEST(a function that always loads for long has one more sandbox whenever its last ones are not young any more) {
  make([](auto& settings) { settings.launches_max = 1; });
  const auto slow = function(1);
  submit(slow, 1);
  now += 100ms;
  ready(0);
  CAF_CHECK_EQUAL(submit(slow, 2), lines{"start 1"});
  CAF_CHECK_EQUAL(submit(slow, 3), lines{});
  now += 100ms;
  CAF_CHECK_EQUAL(actions(), lines{"start 2"});
}

CAF_TEST(a sandbox that dies leaves its place and the waiting ones get another) {
  const auto f = function(1);
  submit(f, 1);
  submit(f, 2);
  ready(0);
  CAF_CHECK_EQUAL(gone(0), lines{});
  CAF_CHECK_EQUAL(gone(1), lines{"start 0"});
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 128 * limits::mib);
}

CAF_TEST(a failed start answers one of those who waited) {
  const auto f = function(1);
  submit(f, 1);
  submit(f, 2);
  pool.gone(0, now);
  const auto call = pool.take_waiting(f.revision);
  CAF_REQUIRE(call);
  CAF_CHECK_EQUAL(*call, 1u);
  CAF_CHECK_EQUAL(pool.waiting(), 1u);
}

CAF_TEST(who has waited for too long is taken out) {
  make([](auto& settings) { settings.launches_max = 0; });
  submit(function(1), 1);
  now += 5s;
  submit(function(1), 2);
  now += 5s;
  const auto late = pool.expire(now);
  CAF_REQUIRE_EQUAL(late.size(), 1u);
  CAF_CHECK_EQUAL(late[0].call, 1u);
  CAF_CHECK(late[0].reason == throttle::waited_too_long);
  CAF_CHECK_EQUAL(pool.waiting(), 1u);
}

CAF_TEST(idle sandboxes end after their time) {
  submit(function(1), 1);
  ready(0);
  idle(0, 1ms);
  now += 10s;
  submit(function(2), 2);
  ready(1);
  idle(1, 1ms);
  pool.stop_idle_since(now - 5s);
  CAF_CHECK_EQUAL(actions(), lines{"stop 0"});
  CAF_CHECK_EQUAL(gone(0), lines{});
  CAF_CHECK(!pool.knows(function(1).revision));
  CAF_CHECK(pool.knows(function(2).revision));
}

CAF_TEST(a retired revision serves who waits and then ends) {
  const auto f = function(1);
  submit(f, 1);
  ready(0);
  idle(0, 10ms);
  submit(f, 2);
  pool.retire(f.revision);
  CAF_CHECK_EQUAL(actions(), lines{});
  CAF_CHECK_EQUAL(idle(0, 10ms), lines{"stop 0"});
  CAF_CHECK_EQUAL(gone(0), lines{});
  CAF_CHECK(pool.empty());
}

CAF_TEST(a drained pool ends up empty) {
  submit(function(1), 1);
  ready(0);
  submit(function(2), 2);
  ready(1);
  idle(1, 10ms);
  pool.drain();
  CAF_CHECK_EQUAL(actions(), lines{"stop 1"});
  gone(1);
  CAF_CHECK_EQUAL(idle(0, 10ms), lines{"stop 0"});
  gone(0);
  CAF_CHECK(pool.empty());
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
