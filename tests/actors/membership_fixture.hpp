#pragma once

#include "actors/cluster/membership.hpp"

#include <caf/io/all.hpp>

#include "fake_worker.hpp"

#include <algorithm>
#include <deque>

/// A membership alone with what it asks and tells: other nodes, the door, CAF's middleman and who follows it are the
/// test's. Its time is virtual.
namespace troupe::test {

using namespace std::chrono_literals;

struct cluster_config : test_config {
  cluster_config() { add_message_types<caf::id_block::troupe_cluster>(); }
};

/// Another node's membership as the test has it.
struct played_peer {
  membership_actor actor;
  uuid id;
  std::vector<member> heard; ///< of the node under test
  std::vector<acquaintance> told_of;
  std::vector<std::string> drains; ///< by which name it was asked to leave
  bool silent = false;             ///< never answers who wants it to leave
  uint32_t retired = 0;
  uint32_t goodbyes = 0;
};

inline membership_actor::behavior_type play_peer(membership_actor::pointer self, played_peer* as) {
  return {
    [as](atom::announce, const member& what, const std::vector<acquaintance>& known) {
      as->heard.push_back(what);
      as->told_of.insert(as->told_of.end(), known.begin(), known.end());
    },
    [](atom::members) { return std::vector<member>{}; },
    [self, as](atom::drain, const std::string& name, caf::timespan) -> caf::result<caf::unit_t> {
      as->drains.push_back(name);
      if (as->silent)
        return self->make_response_promise<caf::unit_t>();
      return caf::unit;
    },
    [as](atom::retire) {
      ++as->retired;
      return caf::unit;
    },
    [as](atom::goodbye) {
      ++as->goodbyes;
      return caf::unit;
    },
  };
}

struct follower_notes {
  std::vector<std::vector<member>> members;
  std::vector<member> loads;
};

inline cluster_follower::behavior_type follow_along(cluster_follower::pointer, follower_notes* notes) {
  return {
    [notes](atom::members, const std::vector<member>& all) { notes->members.push_back(all); },
    [notes](atom::announce, const member& who) { notes->loads.push_back(who); },
  };
}

/// What was spawned where, in the middleman's place. `refuse` has it fail.
struct played_middleman {
  uint32_t spawned = 0;
  std::vector<std::string> names;
  bool refuse = false;
};

inline caf::behavior play_middleman(caf::event_based_actor*, played_middleman* as) {
  return {
    [as](caf::spawn_atom, const caf::node_id&, const std::string& name, const caf::message&,
         const std::set<std::string>&) -> caf::result<caf::strong_actor_ptr> {
      ++as->spawned;
      as->names.push_back(name);
      if (as->refuse)
        return make_error(errc::unavailable, "no");
      return caf::strong_actor_ptr{};
    },
  };
}

/// Counts what a worker is told.
struct worker_notes {
  uint32_t drains = 0;
  bool busy = false; ///< a drain does not end
  worker_status load;
};

inline worker_actor::behavior_type play_worker(worker_actor::pointer self, worker_notes* notes) {
  return {
    [](atom::invoke, const invocation&) { return outcome{}; },
    [](atom::refuse, const invocation&, throttle) { return outcome{}; },
    [](atom::follow, const dispatcher_actor&) {},
    [](atom::alive, uint64_t) {},
    [](atom::all, bool) {},
    [](atom::update, const function_ptr&) {},
    [](atom::remove, const std::string&, const std::string&) {},
    [](atom::retire, const uuid&, const digest&) {},
    [](atom::flush) { return caf::unit; },
    [notes](atom::status) { return notes->load; },
    [self, notes](atom::drain, caf::timespan) -> caf::result<caf::unit_t> {
      ++notes->drains;
      if (notes->busy)
        return self->make_response_promise<caf::unit_t>();
      return caf::unit;
    },
  };
}

struct membership_fixture : test_coordinator_fixture<cluster_config> {
  ~membership_fixture() {
    caf::anon_send_exit(mine, caf::exit_reason::user_shutdown); // its ticks would never end
    sched.run();
  }

  /// The node under test.
  void begin(const std::string& name, config::node_roles roles, std::vector<config::node_address> seeds = {}) {
    membership_settings settings;
    settings.self.name = name;
    settings.self.id = uuid::make();
    settings.self.roles = roles;
    settings.self.worker = own_worker;
    settings.seeds = std::move(seeds);
    settings.link = [this](const peer_ptr& link) { linked.push_back(link); };
    settings.start_of = [this](const caf::strong_actor_ptr& of) { return starts[of->id()]; };
    settings.spawner = sys.spawn(play_middleman, &middleman);
    settings.dial = [this](const config::node_address& at) { dialled.push_back(at); };
    settings.admit = [this](const std::map<std::string, presence>& all) { present = all; };
    settings.close = [this] { closed = true; };
    settings.adopted = [](const worker_actor&) {};
    settings.leave = [this](caf::timespan patience) { leave_patience.push_back(patience); };
    mine = sys.spawn(membership, std::move(settings));
    caf::anon_send(mine, atom::follow::value, sys.spawn(follow_along, &followed));
    sched.run();
  }

  void pass(std::chrono::milliseconds time) {
    sched.advance_time(time);
    sched.run();
  }

  played_peer& peer(const std::string& name) {
    auto& as = peers[name];
    if (!as.actor) {
      as.actor = sys.spawn(play_peer, &as);
      as.id = uuid::make();
      starts[caf::actor_cast<caf::strong_actor_ptr>(as.actor)->id()] = as.id;
    }
    return as;
  }

  template <class Handle>
  Handle owned_by(Handle actor, const std::string& name) {
    starts[caf::actor_cast<caf::strong_actor_ptr>(actor)->id()] = peer(name).id;
    return actor;
  }

  /// The door lets a node in.
  void let_in(const std::string& name, config::node_roles roles) {
    auto link = std::make_shared<peer_link>();
    link->name = name;
    link->id = peer(name).id;
    link->roles = roles;
    link->version = "1.0";
    link->address = {"127.0.0.1", static_cast<uint16_t>(7400 + peers.size())};
    caf::anon_send(mine, atom::join::value, peer_ptr{std::move(link)});
    sched.run();
  }

  /// What that node announces of itself, if it is honest.
  member described(const std::string& name) {
    member what;
    what.name = name;
    what.id = peer(name).id;
    return what;
  }

  void announce(const std::string& from, member what, std::vector<acquaintance> known = {}) {
    caf::send_as(peer(from).actor, mine, atom::announce::value, std::move(what), std::move(known));
    sched.run();
  }

  /// A node is let in and says who it is.
  void meet(const std::string& name, config::node_roles roles) {
    let_in(name, roles);
    announce(name, described(name));
  }

  void lose(const std::string& name) {
    caf::anon_send_exit(peer(name).actor, caf::exit_reason::kill);
    sched.run();
  }

  const std::vector<member>& last_members() const { return followed.members.back(); }

  const member* seen(const std::string& name) const {
    const auto& all = last_members();
    const auto found = std::ranges::find(all, name, &member::name);
    return found == all.end() ? nullptr : &*found;
  }

  /// What has become of a question.
  struct verdict {
    bool done = false;
    caf::error problem;
  };

  template <class... Ts>
  std::shared_ptr<verdict> ask(Ts... message) {
    auto seen_by = std::make_shared<verdict>();
    sys.spawn([seen_by, to = caf::actor_cast<caf::actor>(mine), message...](caf::event_based_actor* asker) {
      asker->set_default_handler(caf::drop);
      asker->request(to, caf::infinite, message...)
        .then([seen_by] { seen_by->done = true; }, [seen_by](caf::error& why) { seen_by->problem = std::move(why); });
    });
    sched.run();
    return seen_by;
  }

  std::map<caf::actor_id, uuid> starts;
  std::map<std::string, played_peer> peers;
  std::vector<peer_ptr> linked;
  std::vector<config::node_address> dialled;
  std::map<std::string, presence> present;
  std::vector<caf::timespan> leave_patience;
  bool closed = false;
  played_middleman middleman;
  follower_notes followed;
  worker_actor own_worker;
  membership_inner mine;
};

} // namespace troupe::test
