#pragma once

#include "actors/balancer.hpp"
#include "actors/cluster/membership.hpp"
#include "actors/handler_store.hpp"
#include "actors/remote_store.hpp"
#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"

#include <caf/io/all.hpp>

#include "worker_fixture.hpp"

#include <caf/test/io_dsl.hpp>

/// Two nodes with actor systems of their own, which speak CAF's protocol over a network that is a buffer each way: the
/// first keeps the functions and has a balancer, the second runs what it is sent. The processes of the sandboxes are
/// the test's. Time is virtual, and nothing moves unless the test says so.
namespace troupe::test {

namespace fs = std::filesystem;

struct node_config : test_config {
  node_config() {
    add_message_types<caf::id_block::troupe_cluster>();
    load<caf::io::middleman>();
  }
};

using network_fixture = point_to_point_fixture<test_coordinator_fixture<node_config>>;

/// A node's place in the cluster, and what it told its process.
struct seat {
  membership_inner membership;
  uuid id = uuid::make();
  config::node_roles roles;
  std::vector<caf::timespan> leave;
  bool closed = false;
};

/// What has become of a question; neither, while nothing has.
template <class T>
struct answer {
  caf::optional<T> result;
  caf::error problem;
};

struct two_nodes_fixture : network_fixture {
  using planet = planet_type;

  two_nodes_fixture() {
    // The fixture's own loop also lets time pass, and some of these actors come again with time for ever.
    earth.run_all_nodes = mars.run_all_nodes = [this] { settle(); };
    first.roles = {.balancer = true, .handler_store = true};
    second.roles = {.worker = true};
    start_first();
    start_second();
  }

  ~two_nodes_fixture() {
    for (const auto& each : everybody)
      caf::anon_send_exit(each, caf::exit_reason::kill);
    settle();
  }

  // -- the nodes ------------------------------------------------------------------------------------------------------

  template <class Handle>
  Handle remember(Handle actor) {
    everybody.push_back(caf::actor_cast<caf::actor>(actor));
    return actor;
  }

  void start_first() {
    fs::create_directory(directory.path / "kept");
    auto db = *storage::database::open(directory.path / "db", storage::database::access::owner);
    store = remember(earth.sys.spawn(handler_store, db, std::vector<function_version>{}, directory.path / "kept", 10u));
    balancer = remember(earth.sys.spawn(troupe::balancer, balancer_settings{{}, policy_kind::round_robin, {}}));
    caf::anon_send(store, atom::follow::value, caf::actor_cast<balancer_actor>(balancer));
    member self;
    self.name = "n1";
    self.store = self.bundles = store;
    join_cluster(earth, first, second, std::move(self));
    caf::anon_send(first.membership, atom::follow::value, caf::actor_cast<cluster_follower>(balancer));
    settle();
  }

  void start_second() {
    fs::create_directory(directory.path / "fetched");
    fetcher = remember(mars.sys.spawn(remote_store, directory.path / "fetched"));
    worker_settings settings;
    settings.loop = &loop;
    settings.store = caf::actor_cast<handler_store_actor>(fetcher);
    settings.launcher = mars.sys.spawn(fake_launcher, &seen);
    settings.ledger = mars.sys.spawn(fake_ledger, &stored);
    settings.books = accountant{{}, "n2"};
    settings.pool.memory_bytes = limits::gib;
    settings.pool.sandboxes_max = 10;
    settings.pool.queue_limit = 4;
    settings.pool.launches_max = 8;
    settings.pool.loads_max = 32;
    settings.pool.width = 4;
    settings.silence_max = silence_max;
    worker = remember(mars.sys.spawn(troupe::worker, std::move(settings)));
    member self;
    self.name = "n2";
    self.worker = caf::actor_cast<worker_actor>(worker);
    self.bundles = caf::actor_cast<handler_store_actor>(fetcher);
    join_cluster(mars, second, first, std::move(self));
    caf::anon_send(second.membership, atom::follow::value, caf::actor_cast<cluster_follower>(fetcher));
    settle();
  }

  void join_cluster(planet& where, seat& mine, const seat& other, member self) {
    membership_settings settings;
    settings.self = std::move(self);
    settings.self.id = mine.id;
    settings.self.roles = mine.roles;
    settings.link = [](const peer_ptr&) {}; // `meet` makes it
    settings.start_of = [here = where.sys.node(), &mine, &other](const caf::strong_actor_ptr& actor) {
      return actor->node() == here ? mine.id : other.id;
    };
    settings.spawner = caf::actor_cast<caf::actor>(where.mm.actor_handle());
    settings.dial = [](const config::node_address&) {};
    settings.admit = [](const std::map<std::string, presence>&) {};
    settings.close = [&mine] { mine.closed = true; };
    settings.adopted = [](const worker_actor&) {};
    settings.leave = [&mine](caf::timespan patience) { mine.leave.push_back(patience); };
    mine.membership = remember(where.sys.spawn(membership, std::move(settings)));
  }

  // -- the network ----------------------------------------------------------------------------------------------------

  /// One thing that is there to do. What the multiplexer runs comes before what it reads: reading runs it too, and does
  /// not say so.
  bool step(planet& where) {
    return where.sched.try_run_once() || where.mpx.try_exec_runnable() || where.mpx.read_data()
        || where.mpx.try_accept_connection();
  }

  /// Everything that is there to do, as long as it is `wanted`. Time stands still.
  template <class Condition>
  void settle_while(Condition wanted) {
    bool moved = true;
    while (moved) {
      moved = poll_all(loop);
      for (auto* each : {&earth, &mars}) {
        if (!wanted())
          return;
        moved = step(*each) || moved;
      }
    }
  }

  void settle() {
    settle_while([] { return true; });
  }

  void pass(caf::timespan time) {
    for (auto* each : {&earth, &mars})
      each->sched.advance_time(time);
    settle();
  }

  void let_in(const seat& at, const seat& who, const std::string& name) {
    auto link = std::make_shared<peer_link>();
    link->name = name;
    link->id = who.id;
    link->roles = who.roles;
    link->address = address;
    caf::anon_send(at.membership, atom::join::value, peer_ptr{std::move(link)});
  }

  /// The first node dials the second, and each lets the other in.
  void meet() {
    std::tie(far_end, near_end) = prepare_connection(mars, earth, "mars", 8080);
    mars.publish(caf::actor_cast<membership_actor>(second.membership), 8080);
    const auto theirs = earth.remote_actor<membership_actor>("mars", 8080);
    let_in(first, second, "n2");
    let_in(second, first, "n1");
    caf::anon_send(first.membership, atom::join::value, address, theirs);
    settle();
  }

  /// The connection is lost, and both sides notice.
  void cut() {
    earth.mpx.impl_ptr(near_end)->io_failure(&earth.mpx, caf::io::network::operation::read);
    mars.mpx.impl_ptr(far_end)->io_failure(&mars.mpx, caf::io::network::operation::read);
    settle();
  }

  // -- what is asked --------------------------------------------------------------------------------------------------

  /// Nothing has happened yet.
  template <class T, class Handle, class... Ts>
  std::shared_ptr<answer<T>> ask(planet& where, const Handle& whom, Ts... message) {
    auto seen_by = std::make_shared<answer<T>>();
    where.sys.spawn([seen_by, to = caf::actor_cast<caf::actor>(whom), message...](caf::event_based_actor* asker) {
      auto response = asker->request(to, caf::infinite, message...);
      const auto fail = [seen_by](caf::error& why) { seen_by->problem = std::move(why); };
      if constexpr (std::is_same_v<T, caf::unit_t>) // which travels as nothing
        response.then([seen_by] { seen_by->result = caf::unit; }, fail);
      else
        response.then([seen_by](T& result) { seen_by->result = std::move(result); }, fail);
    });
    return seen_by;
  }

  std::vector<std::string> names(planet& where, const seat& of) {
    const auto all = ask<std::vector<member>>(where, of.membership, atom::members::value);
    settle();
    std::vector<std::string> result;
    CAF_REQUIRE(all->result);
    for (const auto& who : *all->result)
      result.push_back(who.name);
    return result;
  }

  function_version deploy(const std::string& zip) {
    const auto made = ask<function_version>(earth, store, atom::create::value, version_of("echo").config, zip);
    settle();
    CAF_REQUIRE(made->result);
    return *made->result;
  }

  /// An archive that takes three parts.
  std::string large_archive() {
    std::string noise(2 * limits::bundle_part_bytes + 1000, '\0');
    uint32_t state = 1;
    for (auto& byte : noise)
      byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return *handlers::pack({{"f.py", "def f(event): pass\n", false}, {"noise", std::move(noise), false}});
  }

  std::shared_ptr<answer<outcome>> invoke(const std::string& payload = "{}") {
    auto result = ask<outcome>(earth, balancer, atom::invoke::value, call_of("echo", payload));
    settle();
    return result;
  }

  /// What an actor has in mind.
  template <class State, class Handle>
  static State& inside(const Handle& actor) {
    using actor_type = caf::stateful_actor<State, typename Handle::base>;
    return dynamic_cast<actor_type&>(*caf::actor_cast<caf::abstract_actor*>(actor)).state;
  }

  /// What the first node knows of the invocation of that ticket while it is away.
  const remote_calls::entry* away(uint64_t ticket) { return inside<balancer_state>(balancer).away.find(ticket); }

  /// The process of the sandbox that was launched last is there.
  played_handler& begin() {
    CAF_REQUIRE(!seen.handlers.empty());
    seen.handlers.back().say(wire::frame_kind::ready);
    settle();
    return seen.handlers.back();
  }

  void reply(played_handler& handler, const std::string& payload) {
    handler.say(wire::frame_kind::result, wire::reply_flag::none, payload);
    settle();
  }

  static constexpr std::chrono::milliseconds silence_max = 1h; ///< the worker has a clock that is not the test's
  const config::node_address address{"127.0.0.1", 7400};

  scratch_directory directory;
  io_loop loop;
  launches seen;
  std::vector<usage_record> stored;
  seat first;
  seat second;
  std::vector<caf::actor> everybody; ///< who would not end alone
  handler_store_actor store;
  balancer_inner balancer;
  remote_store_actor fetcher;
  worker_inner worker;
  caf::io::connection_handle near_end;
  caf::io::connection_handle far_end;
};

} // namespace troupe::test
