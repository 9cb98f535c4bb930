#define CAF_SUITE actors.sandbox_templates

#include "tests/actors/pool_fixture.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

/// A function whose runs wait for a second each and whose loading takes a third of that, with one busy sandbox, 0.
struct slow_function : pool_fixture {
  slow_function() {
    make([](pool_settings& s) { s.template_after = 50ms; });
    begin(f);
  }

  void begin(const storage::function_version& what) {
    submit(what, 1);
    now += 300ms;
    ready(0);
    idle(0, 1s);
    submit(what, 2);
  }

  storage::function_version f = function(1);
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(template_rules, slow_function)

CAF_TEST(the second sandbox of a slow function is a copy) {
  CAF_CHECK_EQUAL(submit(f, 3), (lines{"template 1"}));
  CAF_CHECK_EQUAL(submit(f, 4), lines{}); // it waits for the template, too
  CAF_CHECK_EQUAL(pool.count(pool_state::starting), 1u);
  now += 300ms;
  CAF_CHECK_EQUAL(ready(1), (lines{"copy 2 of 1", "copy 3 of 1"}));
  CAF_CHECK_EQUAL(pool.count(pool_state::as_template), 1u);
  now += 3ms;
  CAF_CHECK_EQUAL(ready(2), (lines{"give 2 3"}));
  // What a copy took says nothing about loading.
  CAF_CHECK_EQUAL(submit(f, 5), (lines{"copy 4 of 1"}));
}

CAF_TEST(templates take places as sandboxes do) {
  make([](pool_settings& s) {
    s.template_after = 50ms;
    s.launches_max = 1;
  });
  const auto other = function(2);
  begin(f);
  submit(other, 3);
  now += 300ms;
  ready(1);
  idle(1, 1s);
  submit(other, 4);
  CAF_CHECK_EQUAL(submit(f, 5), (lines{"template 2"}));
  CAF_CHECK_EQUAL(submit(other, 6), lines{});
  now += 100ms;
  CAF_CHECK_EQUAL(actions(), (lines{"template 3"}));
}

CAF_TEST(who waits for a template takes a sandbox that falls idle) {
  CAF_CHECK_EQUAL(submit(f, 3), (lines{"template 1"}));
  CAF_CHECK_EQUAL(idle(0, 100ms), (lines{"give 0 3"}));
}

CAF_TEST(a fast function gets none) {
  make([](pool_settings& s) { s.template_after = 400ms; });
  begin(f);
  CAF_CHECK_EQUAL(submit(f, 3), (lines{"start 1"}));
}

CAF_TEST(none where there are no templates) {
  make([](pool_settings& s) { s.template_after = 0ms; });
  begin(f);
  CAF_CHECK_EQUAL(submit(f, 3), (lines{"start 1"}));
}

CAF_TEST(one that cannot be had is not tried again) {
  submit(f, 3);
  CAF_CHECK_EQUAL(gone(1), (lines{"start 1"}));
  now += 300ms;
  ready(1);
  CAF_CHECK_EQUAL(submit(f, 4), (lines{"start 2"}));
}

CAF_TEST(one that died is made again but not for ever) {
  submit(f, 3);
  ready(1);
  gone(1);
  CAF_CHECK_EQUAL(submit(f, 4), (lines{"template 1"}));
  ready(1);
  gone(1);
  const auto next = submit(f, 5);
  CAF_CHECK_EQUAL(next.front().substr(0, 5), "start");
}

CAF_TEST(when the only sandbox dies nobody waits for the template) {
  submit(f, 3);
  CAF_CHECK_EQUAL(gone(0), (lines{"start 0"}));
}

CAF_TEST(it counts as memory and goes with the last sandbox) {
  const uint64_t each = 128 * limits::mib;
  submit(f, 3);
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 2 * each);
  ready(1);
  pool.frozen(1, 20 * limits::mib);
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 2 * each + 20 * limits::mib); // with the copy
  ready(2);
  idle(0, 1s);
  idle(2, 1s);
  const auto start = now;
  now += 1h;
  pool.stop_idle_since(now - 1min);
  CAF_CHECK_EQUAL(actions().size(), 2u); // both sandboxes
  gone(0);
  gone(2);
  CAF_CHECK(!pool.empty());
  pool.stop_idle_since(now - 1min);
  CAF_CHECK_EQUAL(actions(), (lines{"stop 1"}));
  CAF_CHECK(start < now);
  gone(1);
  CAF_CHECK(pool.empty());
  CAF_CHECK_EQUAL(pool.memory_used_bytes(), 0u);
}

CAF_TEST(it makes room when there is none) {
  make([](pool_settings& s) {
    s.template_after = 50ms;
    s.memory_bytes = 400 * limits::mib;
  });
  begin(f);
  submit(f, 3);
  ready(1);
  pool.frozen(1, 100 * limits::mib);
  ready(2);
  idle(0, 1s);
  idle(2, 1s);
  // All that is idle has to go, and the template with it.
  auto stopped = submit(function(2, 384), 9);
  std::ranges::sort(stopped);
  CAF_CHECK_EQUAL(stopped, (lines{"stop 0", "stop 1", "stop 2"}));
  gone(0);
  gone(1);
  CAF_CHECK_EQUAL(gone(2), (lines{"start 0"}));
}

CAF_TEST(there has to be room for a copy as well) {
  make([](pool_settings& s) {
    s.template_after = 50ms;
    s.memory_bytes = 300 * limits::mib;
  });
  begin(f);
  CAF_CHECK_EQUAL(submit(f, 3), (lines{"start 1"}));
}

CAF_TEST(it goes with its revision) {
  submit(f, 3);
  ready(1);
  ready(2);
  pool.retire(f.revision);
  CAF_CHECK_EQUAL(actions(), (lines{"stop 1"}));
  gone(1);
  CAF_CHECK_EQUAL(idle(0, 1s), (lines{"stop 0"}));
  CAF_CHECK_EQUAL(idle(2, 1s), (lines{"stop 2"}));
}

CAF_TEST(it goes when the node drains) {
  submit(f, 3);
  ready(1);
  ready(2);
  pool.drain();
  CAF_CHECK_EQUAL(actions(), (lines{"stop 1"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
