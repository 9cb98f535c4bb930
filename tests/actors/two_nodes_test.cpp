#define CAF_SUITE actors.two_nodes

#include "two_nodes_fixture.hpp"

#include "fake_worker.hpp"

#include <fstream>

using namespace troupe;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using words = std::vector<std::string>;

worker_actor::behavior_type echoing_worker(worker_actor::pointer) {
  return test::fake_worker(
    [](atom::invoke, const invocation& call) {
      outcome result;
      result.id = call.id;
      result.payload = call.payload;
      return result;
    },
    [](atom::refuse, const invocation&, throttle why) -> caf::result<outcome> { return make_throttled(why); });
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

struct fixture : test::two_nodes_fixture {
  std::string small_archive() { return *handlers::pack({{"f.py", "def f(event): pass\n", false}}); }

  /// The nodes know each other, and the first has sent an invocation to the second.
  std::shared_ptr<test::answer<outcome>> invoke_far() {
    meet();
    deploy(small_archive());
    return invoke();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(two_nodes_tests, fixture)

CAF_TEST(both know each other after the first words) {
  CAF_CHECK(names(earth, first) == words{"n1"});
  meet();
  CAF_CHECK(names(earth, first) == (words{"n1", "n2"}));
  CAF_CHECK(names(mars, second) == (words{"n2", "n1"}));
  // And each has the actors of the other, as stand-ins for what runs there.
  const auto& workers = inside<balancer_state>(balancer).workers;
  CAF_REQUIRE_EQUAL(workers.size(), 1u);
  CAF_CHECK(workers[0].address() == worker.address());
  CAF_CHECK(workers[0]->node() == mars.sys.node());
  CAF_CHECK(inside<remote_store_state>(fetcher).store.address() == store.address());
  CAF_CHECK_EQUAL(inside<worker_state>(worker).followers.size(), 1u);
}

CAF_TEST(a function that one node keeps runs on the other) {
  meet();
  const auto made = deploy(small_archive());
  const auto asked = invoke("[1]");
  CAF_REQUIRE_EQUAL(seen.specs.size(), 1u);
  CAF_CHECK(seen.specs[0].bundle_dir == directory.path / "fetched" / made.bundle.hex());
  auto& handler = begin();
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "[1]");
  CAF_CHECK(!asked->result && !asked->problem);
  reply(handler, "[2]");
  CAF_REQUIRE(asked->result);
  CAF_CHECK_EQUAL(asked->result->payload, "[2]");
  CAF_CHECK(asked->result->status == invocation_status::ok);
  CAF_CHECK(asked->result->cold);
  // The next one finds the sandbox warm.
  const auto again = invoke("[3]");
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "[3]");
  reply(handler, "[4]");
  CAF_REQUIRE(again->result);
  CAF_CHECK(!again->result->cold);
  CAF_CHECK_EQUAL(seen.specs.size(), 1u);
}

CAF_TEST(a large bundle travels in parts) {
  meet();
  const auto zip = large_archive();
  const auto made = deploy(zip);
  const auto asked = ask<std::string>(mars, fetcher, atom::unpack::value, made.bundle);
  size_t longest = 0; // of what is under way
  settle_while([&] {
    longest = std::max(longest, mars.mpx.virtual_network_buffer(far_end).size());
    return true;
  });
  CAF_REQUIRE(asked->result);
  CAF_CHECK(bytes_of(fs::path{*asked->result} / "noise")
            == bytes_of(directory.path / "kept" / made.bundle.hex() / "noise"));
  CAF_CHECK(bytes_of(directory.path / "fetched" / (made.bundle.hex() + ".zip")) == zip);
  CAF_CHECK_GREATER(longest, limits::bundle_part_bytes);
  CAF_CHECK_LESS(longest, limits::bundle_part_bytes + limits::kib);
}

CAF_TEST(a bundle whose source is lost on the way is waited for) {
  meet();
  const auto made = deploy(large_archive());
  const auto asked = ask<std::string>(mars, fetcher, atom::unpack::value, made.bundle);
  const auto& arrivals = inside<remote_store_state>(fetcher).arrivals;
  settle_while([&] { return arrivals.empty() || arrivals.at(made.bundle).zip.empty(); });
  CAF_REQUIRE(!arrivals.empty());
  cut();
  CAF_CHECK(!asked->result && !asked->problem);
  CAF_CHECK(names(mars, second) == words{"n2"});
  pass(9s);
  CAF_CHECK(!asked->problem);
  pass(1s);
  CAF_CHECK(code_of(asked->problem) == errc::unavailable);
}

CAF_TEST(a bundle whose source comes back is there) {
  meet();
  const auto made = deploy(large_archive());
  const auto asked = ask<std::string>(mars, fetcher, atom::unpack::value, made.bundle);
  const auto& arrivals = inside<remote_store_state>(fetcher).arrivals;
  settle_while([&] { return arrivals.empty() || arrivals.at(made.bundle).zip.empty(); });
  cut();
  CAF_CHECK(!asked->result && !asked->problem);
  meet();
  CAF_CHECK(names(mars, second) == (words{"n2", "n1"}));
  CAF_CHECK(names(earth, first) == (words{"n1", "n2"}));
  CAF_CHECK(asked->result);
}

CAF_TEST(the other node tells what waits and what has begun) {
  const auto asked = invoke_far();
  CAF_REQUIRE(away(1));
  CAF_CHECK(!away(1)->begun);
  auto& handler = begin();
  CAF_REQUIRE(away(1));
  CAF_CHECK(away(1)->begun);
  reply(handler, "1");
  CAF_CHECK(asked->result);
  CAF_CHECK(!away(1));
}

CAF_TEST(the other node tells of sandboxes that are gone) {
  const auto asked = invoke_far();
  auto& handler = begin();
  reply(handler, "1");
  CAF_REQUIRE(asked->result);
  const auto idle = [this] {
    const auto& st = inside<balancer_state>(balancer);
    const auto& revision = st.functions.begin()->second.function->revision;
    return st.table.warm().idle_count(*st.table.find("n2"), revision);
  };
  CAF_CHECK_EQUAL(idle(), 1u);
  handler.answers.reset(); // the process has ended
  settle();
  CAF_CHECK_EQUAL(idle(), 0u);
}

CAF_TEST(a balancer is heard over the network for as long as it answers) {
  meet();
  auto& followers = inside<worker_state>(worker).followers;
  CAF_REQUIRE_EQUAL(followers.size(), 1u);
  const auto forget = [&] { followers.at(0).heard_until = {}; };
  const auto is_heard = [&] { return followers.at(0).heard_until > std::chrono::steady_clock::now(); };
  forget();
  CAF_CHECK(!is_heard());
  pass(silence_max / 4); // It is asked again.
  CAF_CHECK(is_heard());
  forget();
  deploy(small_archive());
  const auto refused = invoke();
  CAF_CHECK(code_of(refused->problem) == errc::shutting_down); // and there is nobody else who may have it
  CAF_CHECK(seen.specs.empty());
}

CAF_TEST(a node whose membership ends is lost) {
  const auto asked = invoke_far();
  CAF_CHECK(begin().event());
  caf::anon_send_exit(second.membership, caf::exit_reason::kill);
  settle();
  CAF_CHECK(names(earth, first) == words{"n1"});
  CAF_CHECK(code_of(asked->problem) == errc::node_lost);
}

CAF_TEST(what had begun on a node that is lost is answered) {
  const auto asked = invoke_far();
  CAF_CHECK(begin().event());
  cut();
  CAF_CHECK(code_of(asked->problem) == errc::node_lost);
  CAF_CHECK(names(earth, first) == words{"n1"});
  // The worker there has nobody to tell and to ask any more, and what it ran ends all the same.
  CAF_CHECK(inside<worker_state>(worker).followers.empty());
  reply(seen.handlers.back(), "1");
  CAF_CHECK_EQUAL(inside<worker_state>(worker).pool.count(sandbox_pool::state::idle), 1u);
  pass(silence_max);
  CAF_CHECK(!inside<worker_state>(worker).asks_for_life);
}

CAF_TEST(what only waited on a node that is lost runs elsewhere unseen) {
  const auto asked = invoke_far();
  const auto local = remember(earth.sys.spawn(echoing_worker));
  caf::anon_send(first.membership, atom::spawned::value, local);
  settle();
  CAF_CHECK(!asked->result && !asked->problem);
  cut();
  CAF_REQUIRE(asked->result);
  CAF_CHECK_EQUAL(asked->result->payload, "{}");
}

CAF_TEST(what only waited on a node that is lost is refused when there is no other) {
  const auto asked = invoke_far();
  cut();
  CAF_CHECK(code_of(asked->problem) == errc::unavailable);
}

CAF_TEST(a node is asked over the network to leave and does so in order) {
  const auto running = invoke_far();
  CAF_CHECK(begin().event());
  const auto left =
    ask<caf::unit_t>(earth, first.membership, atom::drain::value, std::string{"n2"}, caf::timespan{1min});
  settle();
  CAF_REQUIRE_EQUAL(second.leave.size(), 1u);
  CAF_CHECK(second.leave[0] == 1min);
  // Its process goes through with it.
  const auto others = ask<bool>(mars, second.membership, atom::leave::value);
  settle();
  CAF_REQUIRE(others->result);
  CAF_CHECK(*others->result);
  CAF_CHECK(code_of(invoke()->problem) == errc::unavailable);
  const auto finished = ask<caf::unit_t>(mars, second.membership, atom::drain::value, caf::timespan{1min});
  settle();
  CAF_CHECK(!finished->result);
  reply(seen.handlers.back(), "1");
  CAF_CHECK(running->result);
  CAF_CHECK(finished->result);
  CAF_CHECK(!left->result && !left->problem);
  const auto goodbye = ask<caf::unit_t>(mars, second.membership, atom::goodbye::value, caf::timespan{1s});
  settle();
  CAF_CHECK(goodbye->result);
  CAF_CHECK(left->result);
  CAF_CHECK(second.closed);
  CAF_CHECK(names(earth, first) == words{"n1"});
  pass(1s); // Nothing that it said before brings it back.
  CAF_CHECK(names(earth, first) == words{"n1"});
}

CAF_TEST_FIXTURE_SCOPE_END()
