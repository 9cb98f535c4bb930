#include "actors/cluster/membership.hpp"

#include "actors/cluster/leaving.hpp"
#include "actors/cluster/telling.hpp"
#include "config/errc.hpp"
#include "config/limits.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using namespace member_parts;

constexpr auto tick_interval = 250ms;
constexpr auto pause_min = 100ms; ///< between two tries to reach an address; it doubles
constexpr auto pause_max = 2s;
constexpr auto link_time_max = 5s; ///< from the door to the first word of the other's membership
constexpr auto spawn_time_max = 10s;

bool dials(const member& self, const std::string& other) {
  return self.name < other;
}

// -- reaching others -------------------------------------------------------------------------------------------------

void dial_due(self_pointer self) {
  auto& st = self->state;
  const auto now = steady_clock::now();
  for (auto& [address, known] : st.addresses) {
    const bool there = !known.name.empty() && (st.peers.contains(known.name) || known.name == st.settings.self.name);
    if (known.under_way || there || now < known.next)
      continue;
    known.under_way = true;
    st.settings.dial(address);
  }
}

/// nullptr when there are too many: strangers can name any number.
dialling* address_of(membership_state& st, const acquaintance& who) {
  if (st.addresses.size() >= limits::members_max && !st.addresses.contains(who.address))
    return nullptr;
  auto& known = st.addresses[who.address];
  known.name = who.name;
  return &known;
}

/// The other side expects to be dialled: at once, once.
void dial_back(self_pointer self, const acquaintance& who) {
  if (auto* known = address_of(self->state, who)) {
    known->next = {};
    known->pause = {};
  }
  dial_due(self);
}

bool is_seed(const membership_state& st, const config::node_address& address) {
  return std::ranges::find(st.settings.seeds, address) != st.settings.seeds.end();
}

void could_not_reach(self_pointer self, const config::node_address& address) {
  const auto found = self->state.addresses.find(address);
  if (found == self->state.addresses.end())
    return;
  auto& known = found->second;
  known.under_way = false;
  if (++known.failed >= limits::dials_max && !is_seed(self->state, address)) {
    self->state.addresses.erase(found); // whoever is there again will ask
    return;
  }
  known.pause = std::clamp<std::chrono::milliseconds>(2 * known.pause, pause_min, pause_max);
  known.next = steady_clock::now() + known.pause;
}

void learn(self_pointer self, const std::vector<acquaintance>& of) {
  auto& st = self->state;
  for (const auto& who : of) {
    if (who.name == st.settings.self.name || st.peers.contains(who.name) || !dials(st.settings.self, who.name))
      continue;
    address_of(st, who);
  }
  dial_due(self);
}

// -- links -----------------------------------------------------------------------------------------------------------

void welcome(self_pointer self, membership_actor whom, const member& what) {
  auto& st = self->state;
  self->monitor(whom);
  st.peers.insert_or_assign(what.name, membership_state::peer{std::move(whom), what});
  st.addresses[what.address] = {.name = what.name};
  spdlog::info("node {} has joined: {}, {} members", what.name, config::to_string(what.roles), st.peers.size() + 1);
  tell_door(st);
  tell_all(self); // the new one of this node, and the others of its address
}

/// The door has let somebody in. Which node it is, its first announcement tells.
void join(self_pointer self, peer_link& link) {
  if (self->state.gone)
    return;
  auto& system = self->system();
  if (!link.dialled) {
    cluster::accept_link(system, link, caf::actor_cast<membership_actor>(self));
    return;
  }
  self
    ->request(cluster::broker_of(system), link_time_max, caf::connect_atom::value, cluster::make_scribe(system, link),
              cluster::published_port)
    .then(
      [self, address = link.address](caf::node_id&, caf::strong_actor_ptr& published, std::set<std::string>& offered) {
        const auto wanted = self->system().message_types(caf::detail::type_list<membership_actor>{});
        if (published == nullptr || !self->system().assignable(offered, wanted)) {
          spdlog::warn("{} has let this node in and speaks another protocol", config::to_string(address));
          could_not_reach(self, address);
          return;
        }
        auto& known = self->state.addresses[address];
        known.under_way = false;
        known.next = steady_clock::now() + link_time_max; // by then it has announced itself
        self->send(caf::actor_cast<membership_actor>(published), atom::announce::value, self->state.settings.self,
                   acquaintances(self->state));
      },
      [self, address = link.address](const caf::error&) { could_not_reach(self, address); });
}

// -- workers ---------------------------------------------------------------------------------------------------------

/// Of all balancers the first by name spawns workers, so that two do not.
bool spawns_workers(const membership_state& st) {
  const auto& self = st.settings.self;
  return self.roles.balancer && std::ranges::none_of(st.peers, [&](const auto& peer) {
           return peer.second.what.roles.balancer && peer.first < self.name;
         });
}

void spawn_worker(self_pointer self, const std::string& name) {
  auto& st = self->state;
  auto& peer = st.peers.at(name);
  peer.spawning = true;
  const auto node = caf::actor_cast<caf::strong_actor_ptr>(peer.membership)->node();
  // Its handle comes with the node's next announcement.
  self
    ->request(self->system().middleman().actor_handle(), spawn_time_max, caf::spawn_atom::value, node,
              std::string{"worker"}, caf::make_message(st.settings.terms),
              self->system().message_types(caf::detail::type_list<worker_actor>{}))
    .then([name](const caf::strong_actor_ptr&) { spdlog::info("a worker has been spawned on node {}", name); },
          [self, name](const caf::error& why) {
            spdlog::warn("no worker could be spawned on node {}: {}", name, what_of(why));
            if (const auto found = self->state.peers.find(name); found != self->state.peers.end())
              found->second.spawning = false;
          });
}

void spawn_missing_workers(self_pointer self) {
  if (!spawns_workers(self->state))
    return;
  for (const auto& [name, peer] : self->state.peers)
    if (peer.what.roles.worker && !peer.what.worker && !peer.what.draining && !peer.spawning)
      spawn_worker(self, name);
}

/// This node's own worker, at another node's wish.
void take_worker(self_pointer self, const worker_actor& worker) {
  auto& mine = self->state.settings.self;
  if (mine.worker) {
    // Two have spawned one before either had heard of the other.
    caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
    return;
  }
  mine.worker = worker;
  self->monitor(worker);
  tell_all(self);
}

// -- messages --------------------------------------------------------------------------------------------------------

void hear(self_pointer self, const member& what, const std::vector<acquaintance>& known) {
  auto& st = self->state;
  auto from = caf::actor_cast<membership_actor>(self->current_sender());
  if (!from || what.name == st.settings.self.name)
    return;
  const auto found = st.peers.find(what.name);
  if (st.gone || (found != st.peers.end() && found->second.left))
    return;
  if (found == st.peers.end()) {
    welcome(self, std::move(from), what);
  } else if (found->second.membership != from) {
    return; // a double: the door lets none in, and this one came through before the door had heard of the other
  } else {
    if (what.worker)
      found->second.spawning = false;
    found->second.what = what;
  }
  learn(self, known);
  spawn_missing_workers(self);
  tell_followers(self);
}

using peer_place = std::map<std::string, membership_state::peer>::iterator;

peer_place find_peer(membership_state& st, const caf::actor_addr& membership) {
  return std::ranges::find_if(st.peers,
                              [&](const auto& peer) { return peer.second.membership.address() == membership; });
}

void forget(self_pointer self, peer_place who) {
  auto& st = self->state;
  auto& known = st.addresses[who->second.what.address];
  known = {.name = who->first};
  if (!dials(st.settings.self, who->first))
    st.addresses.erase(who->second.what.address); // it dials, when it is back
  st.peers.erase(who);
  tell_door(st);
  spawn_missing_workers(self);
  tell_followers(self);
}

void lose(self_pointer self, const caf::down_msg& down) {
  auto& st = self->state;
  auto& mine = st.settings.self;
  if (mine.worker && mine.worker.address() == down.source) {
    spdlog::error("this node's worker has ended: {}", caf::to_string(down.reason));
    mine.worker = worker_actor{};
    tell_all(self);
    return;
  }
  const auto found = find_peer(st, down.source);
  if (found == st.peers.end())
    return;
  if (!found->second.left) {
    spdlog::warn("node {} is gone, {} members are left", found->first, st.peers.size());
    answer_all(found->second.awaiting_leave, make_error(errc::node_lost));
  }
  forget(self, found);
}

/// What it had to say has been said, and its link goes down with its process.
void take_leave(self_pointer self) {
  auto& st = self->state;
  const auto found = find_peer(st, caf::actor_cast<caf::actor_addr>(self->current_sender()));
  if (found == st.peers.end() || found->second.left)
    return;
  found->second.left = true;
  found->second.what.draining = true;
  spdlog::info("node {} has left, {} members are left", found->first, members(st).size());
  answer_all(found->second.awaiting_leave, {});
  tell_followers(self);
}

void tick(self_pointer self) {
  if (self->state.gone)
    return;
  self->delayed_send(self, tick_interval, atom::tick::value);
  for (const auto& seed : self->state.settings.seeds)
    self->state.addresses.try_emplace(seed);
  dial_due(self);
  tell_door(self->state); // also of links that have come to nothing
  spawn_missing_workers(self);
  if (self->state.settings.self.worker)
    self->request(self->state.settings.self.worker, link_time_max, atom::status::value)
      .then(
        [self](const worker_status& load) {
          self->state.settings.self.load = load;
          tell_all(self);
          tell_followers(self);
        },
        [](const caf::error&) {}); // its end is told otherwise
  else
    tell_all(self);
}

} // namespace

membership_inner::behavior_type membership(self_pointer self, membership_settings settings) {
  self->state.settings = std::move(settings);
  self->set_down_handler([self](const caf::down_msg& down) { lose(self, down); });
  if (self->state.settings.self.worker)
    self->monitor(self->state.settings.self.worker);
  self->send(self, atom::tick::value);
  return {
    [self](atom::announce, const member& what, const std::vector<acquaintance>& known) { hear(self, what, known); },
    [self](atom::members) { return members(self->state); },
    [self](atom::drain, const std::string& name, caf::timespan patience) { return drain(self, name, patience); },
    [](atom::retire) { return caf::unit; }, // the announcement came before, and has been told
    [self](atom::goodbye) {
      take_leave(self);
      return caf::unit;
    },
    [self](atom::join, const peer_ptr& link) { join(self, *link); },
    [self](atom::refuse, const config::node_address& address) { could_not_reach(self, address); },
    [self](atom::again, const acquaintance& who) { dial_back(self, who); },
    [self](atom::follow, const cluster_follower& follower) {
      self->state.followers.push_back(follower);
      self->send(follower, atom::members::value, reachable_members(self->state));
    },
    [self](atom::spawned, const worker_actor& worker) { take_worker(self, worker); },
    [self](atom::leave) { return retire(self); },
    [self](atom::drain, caf::timespan patience) { return finish(self, patience); },
    [self](atom::goodbye, caf::timespan time_max) { return say_goodbye(self, time_max); },
    [self](atom::tick) { tick(self); },
  };
}

} // namespace troupe
