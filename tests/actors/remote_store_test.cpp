#define CAF_SUITE actors.remote_store

#include "actors/remote_store.hpp"

#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"

#include "actor_fixture.hpp"

using namespace troupe;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

/// The store of another node, as the test has it.
struct played_store {
  std::string zip;
  uint32_t parts = 0;  ///< that were asked for
  bool silent = false; ///< never answers, as one on a node that is lost
  uint32_t followers = 0;
};

handler_store_actor::behavior_type fake_store(handler_store_actor::pointer self, played_store* as) {
  return {
    [](atom::create, const function_config&, const std::string&) { return function_version{}; },
    [](atom::change, const std::string&, const std::string&, const function_change&) { return function_version{}; },
    [self, as](atom::get, const std::string&, const std::string& name) -> caf::result<function_version> {
      if (as->silent)
        return self->make_response_promise<function_version>();
      return test::version_of(name);
    },
    [](atom::list, const std::string&) { return std::vector<function_version>{}; },
    [](atom::remove, const std::string&, const std::string&) { return caf::unit; },
    [as](atom::bundle, const digest&) { return as->zip; },
    [self, as](atom::part, const digest&, uint64_t from) -> caf::result<bundle_part> {
      ++as->parts;
      if (as->silent)
        return self->make_response_promise<bundle_part>();
      return bundle_part{as->zip.substr(from, limits::bundle_part_bytes), as->zip.size()};
    },
    [](atom::unpack, const digest&) { return std::string{}; },
    [as](atom::follow, const balancer_actor&) {
      ++as->followers;
      return caf::unit;
    },
    [](atom::follow, const worker_actor&) { return caf::unit; },
    [](atom::release, const digest&) {},
  };
}

balancer_actor::behavior_type fake_balancer(balancer_actor::pointer) {
  return {
    [](atom::invoke, const invocation&) { return outcome{}; },
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::all, bool) {},
  };
}

struct fixture : test::actor_fixture {
  fixture()
    : far{sys.spawn(fake_store, &played)},
      follower{sys.spawn(fake_balancer)},
      near{sys.spawn(remote_store, directory.path)} {}

  /// The far store is there, or gone.
  void tell_members(bool with_store) {
    std::vector<member> all(2);
    if (with_store)
      all[1].store = far;
    caf::anon_send(near, atom::members::value, std::move(all));
    sched.run();
  }

  /// The store is gone, and these stand in for it on other nodes.
  void tell_peers(const std::vector<handler_store_actor>& peers) {
    std::vector<member> all(peers.size());
    for (size_t i = 0; i < peers.size(); ++i)
      all[i].bundles = peers[i];
    caf::anon_send(near, atom::members::value, std::move(all));
    sched.run();
  }

  /// What has become of a question; neither, while nothing has.
  struct answer {
    caf::optional<std::string> directory;
    caf::error problem;
  };

  std::shared_ptr<answer> unpack(const digest& bundle) {
    auto seen = std::make_shared<answer>();
    sys.spawn([seen, bundle, to = near](caf::event_based_actor* asker) {
      asker->request(to, caf::infinite, atom::unpack::value, bundle)
        .then([seen](std::string& directory_name) { seen->directory = std::move(directory_name); },
              [seen](caf::error& why) { seen->problem = std::move(why); });
    });
    sched.run();
    return seen;
  }

  /// An archive that takes three parts.
  std::string large_archive() {
    std::string noise(2 * limits::bundle_part_bytes + 1000, '\0');
    uint32_t state = 1;
    for (auto& byte : noise)
      byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return *handlers::pack({{"f.py", "def f(event): pass\n", false}, {"noise", std::move(noise), false}});
  }

  test::scratch_directory directory;
  played_store played;
  handler_store_actor far;
  balancer_actor follower;
  remote_store_actor near;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(remote_store_tests, fixture)

CAF_TEST(a bundle comes in pieces and once) {
  tell_members(true);
  played.zip = large_archive();
  const auto bundle = digest::of(played.zip);
  const auto first = unpack(bundle);
  CAF_REQUIRE(first->directory);
  CAF_CHECK(fs::exists(fs::path{*first->directory} / "f.py"));
  CAF_CHECK_EQUAL(played.parts, 3u);
  CAF_CHECK(unpack(bundle)->directory == first->directory);
  CAF_CHECK_EQUAL(played.parts, 3u);
  caf::anon_send(near, atom::release::value, bundle);
  sched.run();
  CAF_CHECK(!fs::exists(*first->directory));
}

CAF_TEST(what is not the bundle that was asked for is not taken) {
  tell_members(true);
  played.zip = large_archive();
  const auto other = digest::of(std::string_view{"another archive"});
  const auto asked = unpack(other);
  CAF_CHECK(code_of(asked->problem) == errc::io_error);
  CAF_CHECK(!fs::exists(directory.path / other.hex()));
}

CAF_TEST(an archive that does not go on is given up) {
  tell_members(true);
  played.zip.clear();
  CAF_CHECK(code_of(unpack(digest::of(std::string_view{"x"}))->problem) == errc::io_error);
}

CAF_TEST(without the store whoever waits is told after a while) {
  const auto early = unpack(digest::of(std::string_view{"x"}));
  CAF_CHECK(!early->directory && !early->problem);
  sched.advance_time(10s);
  sched.run();
  CAF_CHECK(code_of(early->problem) == errc::unavailable);
}

CAF_TEST(a store that is restarted costs time and nothing else) {
  tell_members(true);
  played.zip = large_archive();
  played.silent = true;
  const auto asked = unpack(digest::of(played.zip));
  CAF_CHECK(!asked->directory && !asked->problem);
  tell_members(false);
  const auto another = unpack(digest::of(std::string_view{"x"}));
  sched.advance_time(5s);
  sched.run();
  CAF_CHECK(!asked->directory && !asked->problem);
  played.silent = false;
  tell_members(true);
  CAF_CHECK(asked->directory);
  CAF_CHECK(code_of(another->problem) == errc::io_error); // the store has it not
}

CAF_TEST(without the store a bundle comes from a peer that has it) {
  tell_members(true);
  played.zip = large_archive();
  const auto bundle = digest::of(played.zip);
  CAF_REQUIRE(unpack(bundle)->directory);
  // `near` is now the one that has it; another one has never seen the store.
  test::scratch_directory elsewhere;
  auto other = sys.spawn(remote_store, elsewhere.path);
  played_store broken;
  broken.zip = "something else";
  const auto liar = sys.spawn(fake_store, &broken);
  std::swap(near, other);
  tell_peers({liar, other});
  const auto got = unpack(bundle);
  CAF_REQUIRE(got->directory);
  CAF_CHECK(fs::exists(fs::path{*got->directory} / "f.py"));
  CAF_CHECK_EQUAL(broken.parts, 1u);
  CAF_CHECK_EQUAL(played.parts, 3u);
}

CAF_TEST(a peer that is lost on the way is followed by another) {
  played.zip = large_archive();
  played_store silent;
  silent.silent = true;
  silent.zip = played.zip;
  const auto lost = sys.spawn(fake_store, &silent);
  tell_peers({lost, far});
  const auto asked = unpack(digest::of(played.zip));
  CAF_CHECK(!asked->directory && !asked->problem);
  tell_peers({far});
  CAF_CHECK(asked->directory);
}

CAF_TEST(questions are handed on and fail with the store) {
  caf::error problem;
  std::string found;
  bool removed = false;
  const auto ask = [&] {
    sys.spawn([&, to = caf::actor_cast<caf::actor>(near)](caf::event_based_actor* asker) {
      asker->request(to, caf::infinite, atom::get::value, std::string{"default"}, std::string{"echo"})
        .then([&](const function_version& f) { found = f.config.name; },
              [&](caf::error& why) { problem = std::move(why); });
      asker->request(to, caf::infinite, atom::remove::value, std::string{"default"}, std::string{"echo"})
        .then([&] { removed = true; }, [](caf::error&) {});
    });
    sched.run();
  };
  ask();
  CAF_CHECK(code_of(problem) == errc::unavailable);
  tell_members(true);
  ask();
  CAF_CHECK_EQUAL(found, "echo");
  CAF_CHECK(removed);
  played.silent = true;
  problem = caf::none;
  ask();
  CAF_CHECK(!problem);
  tell_members(false);
  CAF_CHECK(code_of(problem) == errc::unavailable);
}

CAF_TEST(followers hear of each store that comes) {
  caf::anon_send(near, atom::follow::value, follower);
  sched.run();
  CAF_CHECK_EQUAL(played.followers, 0u);
  tell_members(true);
  CAF_CHECK_EQUAL(played.followers, 1u);
  tell_members(true);
  CAF_CHECK_EQUAL(played.followers, 1u);
  tell_members(false);
  tell_members(true);
  CAF_CHECK_EQUAL(played.followers, 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
