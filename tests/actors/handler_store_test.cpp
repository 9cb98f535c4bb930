#define CAF_SUITE actors.handler_store

#include "actors/handler_store.hpp"

#include "handlers/bundle/archive.hpp"

#include "actor_fixture.hpp"

using namespace troupe;
using storage::concurrency_unset;
namespace fs = std::filesystem;

namespace {

constexpr uint32_t reservable = 10;

struct seen {
  std::map<std::string, uuid> functions;
  std::map<std::string, uint32_t> concurrency_max;
  std::string rounds;
};

balancer_actor::behavior_type fake_balancer(balancer_actor::pointer, seen* what) {
  return {
    [](atom::invoke, const invocation&) { return outcome{}; },
    [what](atom::update, const function_ptr& f) {
      what->functions[f->config.name] = f->revision;
      what->concurrency_max[f->config.name] = f->config.concurrency_max;
    },
    [what](atom::remove, const std::string&, const std::string& name) { what->functions.erase(name); },
    [what](atom::all, bool begins) { what->rounds += begins ? "(" : ")"; },
  };
}

struct fixture : test::actor_fixture {
  fixture() {
    db = *storage::database::open(directory.path / "db", storage::database::access::owner);
    start();
  }

  ~fixture() override {
    caf::anon_send_exit(store, caf::exit_reason::kill);
    run(); // The database is closed before its directory goes.
  }

  void start() {
    auto functions = storage::function_store{db}.all();
    CAF_REQUIRE(functions);
    CAF_REQUIRE(!remove_stray_bundles(bundles(), *functions));
    store = sys.spawn(handler_store, db, *functions, bundles(), reservable);
    caf::anon_send(store, atom::follow::value, sys.spawn(fake_balancer, &told));
    run();
  }

  fs::path bundles() const { return directory.path / "bundles"; }

  template <class R, class... Ts>
  caf::expected<R> ask(Ts... message) {
    caf::expected<R> result{caf::sec::none};
    caf::scoped_actor asker{sys};
    auto handle = asker->request(store, caf::infinite, std::move(message)...);
    run();
    handle.receive([&](R& answer) { result = std::move(answer); }, [&](caf::error& e) { result = std::move(e); });
    return result;
  }

  std::string zip(const std::string& code) { return *handlers::pack({{"f.py", code, false}}); }

  caf::expected<function_version> create(const std::string& name, const std::string& archive) {
    return ask<function_version>(atom::create::value, test::version_of(name).config, archive);
  }

  caf::expected<function_version> change(const std::string& name, const function_change& what) {
    return ask<function_version>(atom::change::value, std::string{"default"}, name, what);
  }

  /// What PutFunctionConcurrency asks for.
  static function_change concurrency(uint32_t max, uint32_t reserved) {
    function_change what;
    what.concurrency_max = max;
    what.concurrency_reserved = reserved;
    return what;
  }

  size_t unpacked() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator{bundles()}, fs::directory_iterator{}));
  }

  test::scratch_directory directory;
  std::shared_ptr<storage::database> db;
  seen told;
  handler_store_actor store;
};

const std::string tenant = "default";

} // namespace

CAF_TEST_FIXTURE_SCOPE(handler_store_tests, fixture)

CAF_TEST(a created function is stored and unpacked and everybody hears of it) {
  const auto made = create("echo", zip("def f(e): return e"));
  CAF_REQUIRE(made);
  CAF_CHECK(told.functions.at("echo") == made->revision);
  CAF_CHECK(fs::exists(bundles() / made->bundle.hex() / "f.py"));
  CAF_CHECK(*ask<function_version>(atom::get::value, tenant, std::string{"echo"}) == *made);
  CAF_CHECK_EQUAL(ask<std::vector<function_version>>(atom::list::value, tenant)->size(), 1u);
}

CAF_TEST(a name can be created once) {
  create("echo", zip("1"));
  const auto again = create("echo", zip("2"));
  CAF_REQUIRE(!again);
  CAF_CHECK(code_of(again.error()) == errc::function_exists);
}

CAF_TEST(a bad archive changes nothing and leaves nothing) {
  const auto made = create("echo", "no zip");
  CAF_REQUIRE(!made);
  CAF_CHECK(code_of(made.error()) == errc::invalid_argument);
  CAF_CHECK(told.functions.empty());
  CAF_CHECK_EQUAL(unpacked(), 0u);
}

CAF_TEST(a change makes a new revision and keeps what is not set) {
  const auto made = create("echo", zip("1"));
  function_change change;
  change.memory_mb = 512u;
  const auto changed = ask<function_version>(atom::change::value, tenant, std::string{"echo"}, change);
  CAF_REQUIRE(changed);
  CAF_CHECK(changed->revision != made->revision);
  CAF_CHECK_EQUAL(changed->config.memory_mb, 512u);
  CAF_CHECK_EQUAL(changed->config.handler, "f.f");
  CAF_CHECK(changed->bundle == made->bundle);
  CAF_CHECK(told.functions.at("echo") == changed->revision);
}

CAF_TEST(everything that a change may set is set and stored) {
  create("echo", zip("1"));
  function_change what;
  what.ephemeral_storage_mb = 1024u;
  what.concurrency_max = 7u;
  what.concurrency_reserved = 3u;
  what.network = network_access::egress;
  CAF_REQUIRE(change("echo", what));
  const auto stored = storage::function_store{db}.get(tenant, "echo");
  CAF_REQUIRE(stored);
  CAF_CHECK_EQUAL(stored->config.ephemeral_storage_mb, 1024u);
  CAF_CHECK_EQUAL(stored->config.concurrency_max, 7u);
  CAF_CHECK_EQUAL(stored->config.concurrency_reserved, 3u);
  CAF_CHECK(stored->config.network == network_access::egress);
}

CAF_TEST(a change of concurrency keeps the sandboxes) {
  const auto made = create("echo", zip("1"));
  const auto changed = change("echo", concurrency(0, 0));
  CAF_REQUIRE(changed);
  CAF_CHECK(changed->revision == made->revision);
  CAF_CHECK_EQUAL(told.concurrency_max.at("echo"), 0u);
  auto more = concurrency(concurrency_unset, 0);
  more.memory_mb = 512u;
  const auto again = change("echo", more);
  CAF_REQUIRE(again);
  CAF_CHECK(again->revision != made->revision);
  CAF_CHECK_EQUAL(told.concurrency_max.at("echo"), concurrency_unset);
}

CAF_TEST(no more is reserved than there is) {
  create("a", zip("1"));
  create("b", zip("1"));
  CAF_CHECK(change("a", concurrency(6, 6)));
  CAF_CHECK(change("b", concurrency(4, 4)));
  for (const auto& [max, reserved] : {std::pair{5u, 5u}, std::pair{2u, 3u}, std::pair{0u, 1u}}) {
    const auto refused = change("b", concurrency(max, reserved));
    CAF_REQUIRE(!refused);
    CAF_CHECK(code_of(refused.error()) == errc::invalid_argument);
  }
  CAF_CHECK(change("a", concurrency(concurrency_unset, 5)));
  CAF_CHECK(change("b", concurrency(9, 5)));
  auto config = test::version_of("c").config;
  config.concurrency_reserved = 1;
  const auto third = ask<function_version>(atom::create::value, config, zip("1"));
  CAF_REQUIRE(!third);
  CAF_CHECK(code_of(third.error()) == errc::invalid_argument);
  for (const auto& [sandboxes, free] : {std::pair{0u, 0u}, std::pair{1u, 0u}, std::pair{9u, 8u}, std::pair{500u, 450u}})
    CAF_CHECK_EQUAL(reservable_of(sandboxes), free);
}

CAF_TEST(a change of an older state is a conflict) {
  create("echo", zip("1"));
  function_change change;
  change.expected_revision = uuid::make();
  const auto changed = ask<function_version>(atom::change::value, tenant, std::string{"echo"}, change);
  CAF_REQUIRE(!changed);
  CAF_CHECK(code_of(changed.error()) == errc::conflict);
}

CAF_TEST(a bundle goes when its last sandbox has gone and no function names it) {
  const auto made = create("echo", zip("1"));
  caf::anon_send(store, atom::release::value, made->bundle);
  run();
  CAF_CHECK_EQUAL(unpacked(), 1u);
  CAF_CHECK(!ask<function_version>(atom::change::value, tenant, std::string{"none"}, function_change{}));
  function_change change;
  change.zip = zip("2");
  CAF_REQUIRE(ask<function_version>(atom::change::value, tenant, std::string{"echo"}, change));
  CAF_CHECK_EQUAL(unpacked(), 2u);
  caf::anon_send(store, atom::release::value, made->bundle);
  run();
  CAF_CHECK_EQUAL(unpacked(), 1u);
}

CAF_TEST(after a restart all is there and strays are gone) {
  const auto made = create("echo", zip("1"));
  fs::create_directories(bundles() / "stray" / "deep");
  fs::remove_all(bundles() / made->bundle.hex());
  caf::anon_send_exit(store, caf::exit_reason::kill);
  run();
  told.functions.clear();
  start();
  CAF_CHECK(told.functions.at("echo") == made->revision);
  CAF_CHECK_EQUAL(told.rounds, "()()"); // each start tells where all of them begin and end
  CAF_CHECK(!fs::exists(bundles() / "stray"));
  const auto dir = ask<std::string>(atom::unpack::value, made->bundle);
  CAF_REQUIRE(dir);
  CAF_CHECK(fs::exists(fs::path{*dir} / "f.py"));
}

CAF_TEST_FIXTURE_SCOPE_END()
