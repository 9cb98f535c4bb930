#define CAF_SUITE actors.membership

#include "actors/cluster/membership.hpp"

#include "config/limits.hpp"

#include "membership_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr config::node_roles front{.balancer = true};
constexpr config::node_roles worker_only{.worker = true};
constexpr config::node_roles store{.balancer = true, .handler_store = true};

struct fixture : test::membership_fixture {
  worker_actor spawn_worker(test::worker_notes& of) { return sys.spawn(test::play_worker, &of); }

  /// That node has a worker now, and says so.
  worker_actor give_worker(const std::string& name, test::worker_notes& of) {
    auto what = described(name);
    what.worker = owned_by(spawn_worker(of), name);
    announce(name, what);
    return what.worker;
  }

  test::worker_notes notes;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(membership_tests, fixture)

CAF_TEST(a seed is dialled at once and again) {
  begin("n1", front, {{"seed", 7400}});
  CAF_CHECK_EQUAL(dialled.size(), 1u);
  pass(1s);
  CAF_CHECK_EQUAL(dialled.size(), 1u); // It has not been answered.
  caf::anon_send(mine, atom::refuse::value, dialled.front());
  sched.run();
  pass(250ms);
  CAF_CHECK_EQUAL(dialled.size(), 2u);
}

CAF_TEST(who has been let in is greeted and becomes a member with its first word) {
  begin("n1", front, {{"seed", 7400}});
  let_in("n2", worker_only);
  CAF_CHECK_EQUAL(linked.size(), 1u);
  caf::anon_send(mine, atom::join::value, dialled.front(), peer("n2").actor);
  sched.run();
  CAF_CHECK_EQUAL(peer("n2").heard.size(), 1u);
  CAF_CHECK(seen("n2") == nullptr);
  announce("n2", described("n2"));
  CAF_REQUIRE(seen("n2") != nullptr);
  CAF_CHECK(seen("n2")->roles == worker_only);
  CAF_CHECK(present.contains("n2"));
  // The seed is that node: it is not dialled while the node is there.
  pass(10s);
  CAF_CHECK_EQUAL(dialled.size(), 1u);
}

CAF_TEST(third nodes are heard of and dialled by who comes first) {
  begin("n2", front);
  meet("n4", front);
  announce("n4", described("n4"), {{"n1", {"127.0.0.1", 1}}, {"n3", {"127.0.0.1", 3}}, {"n2", {"127.0.0.1", 2}}});
  CAF_REQUIRE_EQUAL(dialled.size(), 1u);
  CAF_CHECK_EQUAL(dialled.front().port, 3u);
}

CAF_TEST(who waits to be dialled is) {
  begin("n1", front);
  caf::anon_send(mine, atom::again::value, acquaintance{"n2", {"127.0.0.1", 7402}});
  sched.run();
  CAF_REQUIRE_EQUAL(dialled.size(), 1u);
  CAF_CHECK_EQUAL(dialled.front().port, 7402u);
}

CAF_TEST(those who are there hear of the new one and it of them) {
  begin("n1", front);
  meet("n2", front);
  meet("n3", front);
  const auto names = [](const std::vector<acquaintance>& all) {
    std::set<std::string> result;
    for (const auto& who : all)
      result.insert(who.name);
    return result;
  };
  CAF_CHECK(names(peer("n2").told_of) == std::set<std::string>{"n3"});
  CAF_CHECK(names(peer("n3").told_of) == std::set<std::string>{"n2"});
  // Whom one has missed, it is told again.
  peer("n2").told_of.clear();
  pass(250ms);
  pass(250ms);
  CAF_CHECK(names(peer("n2").told_of) == (std::set<std::string>{"n2", "n3"}));
}

CAF_TEST(a double is not taken for the first) {
  begin("n1", front);
  meet("n2", worker_only);
  const auto id = peer("n2").id;
  auto& other = peer("another");
  auto what = described("n2");
  what.cores = 99;
  starts[caf::actor_cast<caf::strong_actor_ptr>(other.actor)->id()] = id;
  announce("another", what);
  CAF_CHECK_EQUAL(seen("n2")->cores, 1u);
  CAF_CHECK_EQUAL(last_members().size(), 2u);
}

CAF_TEST(a lost node is forgotten) {
  begin("n1", front);
  meet("n2", worker_only);
  lose("n2");
  CAF_CHECK(seen("n2") == nullptr);
  CAF_CHECK(present.empty());
}

// -- workers ---------------------------------------------------------------------------------------------------------

CAF_TEST(the first balancer spawns a worker and again after its death) {
  begin("n1", front);
  meet("n2", worker_only);
  CAF_CHECK_EQUAL(middleman.spawned, 1u);
  CAF_CHECK_EQUAL(middleman.names.at(0), "worker");
  pass(1s);
  CAF_CHECK_EQUAL(middleman.spawned, 1u); // It has been ordered.
  give_worker("n2", notes);
  CAF_REQUIRE(seen("n2") != nullptr);
  CAF_CHECK(seen("n2")->worker);
  pass(1s);
  CAF_CHECK_EQUAL(middleman.spawned, 1u);
  announce("n2", described("n2"));
  CAF_CHECK_EQUAL(middleman.spawned, 2u);
}

CAF_TEST(what could not be spawned is tried again) {
  begin("n1", front);
  middleman.refuse = true;
  meet("n2", worker_only);
  CAF_CHECK_EQUAL(middleman.spawned, 1u);
  middleman.refuse = false;
  pass(250ms);
  CAF_CHECK_EQUAL(middleman.spawned, 2u);
}

CAF_TEST(another balancer leaves that to the first until it is gone) {
  begin("n2", front);
  meet("n1", front);
  meet("n3", worker_only);
  pass(1s);
  CAF_CHECK_EQUAL(middleman.spawned, 0u);
  lose("n1");
  CAF_CHECK_EQUAL(middleman.spawned, 1u);
}

CAF_TEST(a node without that role spawns none and a draining one gets none) {
  begin("n1", worker_only);
  meet("n2", worker_only);
  pass(1s);
  CAF_CHECK_EQUAL(middleman.spawned, 0u);
}

CAF_TEST(of two workers that were spawned at once the first stays) {
  begin("n3", worker_only);
  meet("n1", front);
  test::worker_notes other;
  const auto first = spawn_worker(notes);
  const auto second = spawn_worker(other);
  caf::anon_send(mine, atom::spawned::value, first);
  caf::anon_send(mine, atom::spawned::value, second);
  sched.run();
  CAF_CHECK(last_members().front().worker == first);
  CAF_CHECK(peer("n1").heard.back().worker == first);
  // And when it dies the node says so, and takes the next one.
  caf::anon_send_exit(first, caf::exit_reason::kill);
  sched.run();
  CAF_CHECK(!peer("n1").heard.back().worker);
  test::worker_notes later;
  const auto third = spawn_worker(later);
  caf::anon_send(mine, atom::spawned::value, third);
  sched.run();
  CAF_CHECK(last_members().front().worker == third);
  CAF_CHECK(peer("n1").heard.back().worker == third);
}

CAF_TEST(others hear of a worker with its first load) {
  notes.load.memory_budget_bytes = 7;
  own_worker = spawn_worker(notes);
  begin("n1", {.balancer = true, .worker = true});
  CAF_REQUIRE(last_members().front().worker);
  for (const auto& all : followed.members)
    CAF_CHECK(!all.front().worker || all.front().load.memory_budget_bytes == 7);
}

// -- followers -------------------------------------------------------------------------------------------------------

CAF_TEST(a load costs a follower one entry) {
  begin("n1", front);
  constexpr size_t nodes = 20;
  for (size_t i = 0; i < nodes; ++i)
    meet("w" + std::to_string(i), worker_only);
  std::vector<test::worker_notes> of(nodes);
  for (size_t i = 0; i < nodes; ++i)
    give_worker("w" + std::to_string(i), of[i]);
  const auto told = followed.members.size();
  followed.loads.clear();
  constexpr size_t rounds = 10;
  for (size_t round = 1; round <= rounds; ++round)
    for (size_t i = 0; i < nodes; ++i) {
      auto what = *seen("w" + std::to_string(i));
      what.load.busy = static_cast<uint32_t>(round);
      announce(what.name, what);
    }
  CAF_CHECK_EQUAL(followed.members.size(), told);
  CAF_CHECK_EQUAL(followed.loads.size(), nodes * rounds);
  CAF_CHECK_EQUAL(followed.loads.back().load.busy, rounds);
}

CAF_TEST(any other change is told with all members) {
  begin("n1", front);
  meet("n2", worker_only);
  const auto told = followed.members.size();
  auto what = described("n2");
  what.draining = true;
  announce("n2", what);
  CAF_CHECK_EQUAL(followed.members.size(), told + 1);
  CAF_CHECK(seen("n2")->draining);
}

// -- leaving ---------------------------------------------------------------------------------------------------------

CAF_TEST(another node is asked to leave and has left with its goodbye) {
  begin("n1", front);
  meet("n2", worker_only);
  const auto asked = ask(atom::drain::value, std::string{"n2"}, caf::timespan{1min});
  CAF_CHECK(peer("n2").drains == std::vector<std::string>{"n2"});
  CAF_CHECK(!asked->done && !asked->problem);
  caf::send_as(caf::actor_cast<caf::actor>(peer("n2").actor), mine, atom::goodbye::value);
  sched.run();
  CAF_CHECK(asked->done);
  // It is there for those who have sent it something, until its link is down.
  CAF_REQUIRE(seen("n2") != nullptr);
  CAF_CHECK(seen("n2")->draining);
  announce("n2", described("n2"));
  CAF_CHECK(seen("n2")->draining);
  CAF_CHECK(code_of(ask(atom::drain::value, std::string{"n2"}, caf::timespan{1min})->problem)
            == errc::invalid_argument);
  lose("n2");
  CAF_CHECK(seen("n2") == nullptr);
}

CAF_TEST(who wanted a node to leave hears that it was lost) {
  begin("n1", front);
  meet("n2", worker_only);
  peer("n2").silent = true;
  const auto asked = ask(atom::drain::value, std::string{"n2"}, caf::timespan{1min});
  lose("n2");
  CAF_CHECK(code_of(asked->problem) == errc::node_lost);
  CAF_CHECK(code_of(ask(atom::drain::value, std::string{"n9"}, caf::timespan{1min})->problem)
            == errc::invalid_argument);
}

CAF_TEST(this node leaves in order) {
  own_worker = spawn_worker(notes);
  begin("n1", {.balancer = true, .worker = true});
  meet("n2", front);
  const auto asked = ask(atom::drain::value, std::string{"n1"}, caf::timespan{1min});
  CAF_REQUIRE_EQUAL(leave_patience.size(), 1u);
  CAF_CHECK(leave_patience.front() == caf::timespan{1min});
  CAF_CHECK_EQUAL(notes.drains, 0u); // The process has to begin.
  bool others = false;
  sys.spawn([&others, to = mine](caf::event_based_actor* asker) {
    asker->request(to, caf::infinite, atom::leave::value)
      .then([&others](bool there) { others = there; }, [](const caf::error&) {});
  });
  sched.run();
  CAF_CHECK(others);
  CAF_CHECK(peer("n2").heard.back().draining);
  CAF_CHECK_EQUAL(peer("n2").retired, 1u);
  // Its own balancer goes on with its worker until that finishes.
  CAF_CHECK(!last_members().front().draining);
  notes.busy = true;
  const auto finished = ask(atom::drain::value, caf::timespan{1min});
  CAF_CHECK_EQUAL(notes.drains, 1u);
  CAF_CHECK(last_members().front().draining);
  CAF_CHECK(!finished->done && !asked->done);
  notes.busy = false;
  const auto hurried = ask(atom::drain::value, caf::timespan{0});
  CAF_CHECK(hurried->done && asked->done);
  const auto said = ask(atom::goodbye::value, caf::timespan{1s});
  CAF_CHECK(said->done && closed);
  CAF_CHECK_EQUAL(peer("n2").goodbyes, 1u);
  const auto before = peer("n2").heard.size();
  pass(2s);
  CAF_CHECK_EQUAL(peer("n2").heard.size(), before);
}

CAF_TEST(a goodbye does not wait for ever) {
  begin("n1", front);
  meet("n2", front);
  // As one whose node stands still: what it is sent is not answered.
  caf::scoped_actor mute{sys};
  let_in("n3", front);
  starts[caf::actor_cast<caf::strong_actor_ptr>(mute)->id()] = peer("n3").id;
  caf::anon_send_exit(peer("n3").actor, caf::exit_reason::user_shutdown);
  sched.run();
  mute->send(mine, atom::announce::value, described("n3"), std::vector<acquaintance>{});
  sched.run();
  CAF_REQUIRE(seen("n3") != nullptr);
  const auto said = ask(atom::goodbye::value, caf::timespan{1s});
  CAF_CHECK(!said->done);
  pass(1s);
  CAF_CHECK(said->done);
}

// -- who lies --------------------------------------------------------------------------------------------------------

CAF_TEST(nobody announces itself as another) {
  begin("n1", front);
  let_in("n2", worker_only);
  announce("n2", described("n3"));
  auto what = described("n2");
  what.id = uuid::make();
  announce("n2", what);
  announce("stranger", described("stranger"));
  CAF_CHECK_EQUAL(last_members().size(), 1u);
  announce("n2", described("n2"));
  announce("n2", described("n9"));
  CAF_CHECK_EQUAL(last_members().size(), 2u);
}

CAF_TEST(a node is for what its hello has said and has no actors of others) {
  begin("n1", front);
  meet("n3", worker_only);
  const auto of_third = give_worker("n3", notes);
  let_in("n2", worker_only);
  auto what = described("n2");
  what.roles = store;
  what.version = std::string(100'000, 'x');
  what.address = {std::string(100'000, 'x'), 1};
  what.worker = of_third;
  announce("n2", what);
  CAF_REQUIRE(seen("n2") != nullptr);
  CAF_CHECK(seen("n2")->roles == worker_only);
  CAF_CHECK(!seen("n2")->worker);
  CAF_CHECK_EQUAL(seen("n2")->version, "1.0");
  CAF_CHECK_EQUAL(seen("n2")->address.host, "127.0.0.1");
}

CAF_TEST(a long list of acquaintances leaves a bounded trace) {
  begin("n1", front);
  meet("n2", worker_only);
  std::vector<acquaintance> many;
  for (int i = 0; i < 100'000; ++i)
    many.push_back({"x" + std::to_string(i), {"127.0.0.1", static_cast<uint16_t>(1 + i % 65'000)}});
  for (int i = 0; i < 5; ++i)
    announce("n2", described("n2"), many);
  CAF_CHECK(dialled.size() <= 64u);
  // A node that waits to be dialled is, all the same.
  for (const auto& at : std::vector{dialled})
    caf::anon_send(mine, atom::refuse::value, at);
  caf::anon_send(mine, atom::again::value, acquaintance{"n5", {"192.0.2.5", 7405}});
  sched.run();
  pass(250ms);
  CAF_CHECK(std::ranges::find(dialled, config::node_address{"192.0.2.5", 7405}) != dialled.end());
}

CAF_TEST(who is let in and says nothing leaves nothing) {
  begin("n1", front);
  for (int i = 0; i < 50; ++i)
    let_in("x" + std::to_string(i), worker_only);
  pass(6s);
  // Too late: whoever wants to be a member comes in again.
  announce("x0", described("x0"));
  CAF_CHECK_EQUAL(last_members().size(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
