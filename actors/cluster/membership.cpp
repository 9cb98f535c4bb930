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
using namespace member_parts;

constexpr auto tick_interval = 250ms;
constexpr auto guest_time_max = 5s; ///< from the door to the first announcement
constexpr auto status_time_max = 5s;
constexpr auto spawn_time_max = 10s;

// -- reaching others -------------------------------------------------------------------------------------------------

void dial_due(self_pointer self) {
  auto& st = self->state;
  const auto there = [&st](const std::string& name) {
    return name == st.settings.self.name || st.peers.contains(name);
  };
  for (const auto& address : st.addresses.due(self->clock().now(), there))
    st.settings.dial(address);
}

void learn(self_pointer self, const std::vector<acquaintance>& of) {
  auto& st = self->state;
  bool news = false;
  const auto count = std::min(of.size(), limits::members_max); // no cluster has more
  for (size_t i = 0; i < count; ++i)
    if (!st.peers.contains(of[i].name))
      news = st.addresses.learn(of[i]) || news;
  if (news)
    dial_due(self);
}

// -- links -----------------------------------------------------------------------------------------------------------

/// The door has let somebody in.
void join(self_pointer self, const peer_ptr& link) {
  auto& st = self->state;
  if (st.gone)
    return;
  st.guests.insert_or_assign(link->id, membership_state::guest{link, self->clock().now()});
  st.settings.link(link);
}

/// This node speaks first, on the links that it has dialled.
void greet(self_pointer self, const config::node_address& at, const membership_actor& whom) {
  auto& st = self->state;
  const auto guest = st.guests.find(st.settings.start_of(caf::actor_cast<caf::strong_actor_ptr>(whom)));
  if (guest == st.guests.end()) {
    spdlog::warn("who was let in at {} has another id than its hello said: no member", config::to_string(at));
    return st.addresses.failed(at, self->clock().now());
  }
  st.addresses.let_in(at, guest->second.who->name, self->clock().now());
  introduce(self, whom);
}

void forget_silent_guests(membership_state& st, std::chrono::steady_clock::time_point now) {
  std::erase_if(st.guests, [&](const auto& guest) {
    const auto peer = st.peers.find(guest.second.who->name);
    const bool there = peer != st.peers.end() && peer->second.what.id == guest.first;
    if (there || now <= guest.second.since + guest_time_max)
      return false;
    guest.second.who->cut();
    return true;
  });
}

// -- workers ---------------------------------------------------------------------------------------------------------

/// Of all balancers the first by name spawns workers, so that two do not.
bool spawns_workers(const membership_state& st) {
  const auto& self = st.settings.self;
  const auto comes_before = [&self](const auto& peer) {
    return peer.second.what.roles.balancer && !peer.second.left && peer.first < self.name;
  };
  return self.roles.balancer && std::ranges::none_of(st.peers, comes_before);
}

void spawn_worker(self_pointer self, const std::string& name) {
  auto& st = self->state;
  auto& peer = st.peers.at(name);
  peer.spawning_until = self->clock().now() + spawn_time_max;
  const auto node = caf::actor_cast<caf::strong_actor_ptr>(peer.membership)->node();
  // Its handle comes with the node's next announcement.
  self
    ->request(st.settings.spawner, spawn_time_max, caf::spawn_atom::value, node, std::string{"worker"},
              caf::make_message(st.settings.terms),
              self->system().message_types(caf::detail::type_list<worker_actor>{}))
    .then([name](const caf::strong_actor_ptr&) { spdlog::info("a worker has been spawned on node {}", name); },
          [self, name](const caf::error& why) {
            spdlog::warn("no worker could be spawned on node {}: {}", name, what_of(why));
            if (const auto found = self->state.peers.find(name); found != self->state.peers.end())
              found->second.spawning_until = {};
          });
}

void spawn_missing_workers(self_pointer self) {
  if (!spawns_workers(self->state))
    return;
  for (const auto& [name, peer] : self->state.peers)
    if (peer.what.roles.worker && !peer.what.worker && !peer.what.draining
        && peer.spawning_until <= self->clock().now())
      spawn_worker(self, name);
}

/// This node's worker tells its load. With the first time others hear of it: they weigh it by what it has.
void ask_worker(self_pointer self) {
  const auto worker = self->state.worker;
  self->request(worker, status_time_max, atom::status::value)
    .then(
      [self, worker](const worker_status& load) {
        auto& st = self->state;
        auto& mine = st.settings.self;
        if (st.worker != worker)
          return; // it has ended
        mine.load = load;
        if (!mine.worker) {
          mine.worker = worker;
          tell_all(self);
          return tell_followers(self);
        }
        tell_again(self);
        auto as_seen_here = mine;
        as_seen_here.draining = st.finishing;
        tell_load(self, as_seen_here);
      },
      [](const caf::error&) {}); // its end is told otherwise
}

void adopt(self_pointer self, const worker_actor& worker) {
  self->state.worker = worker;
  self->monitor(worker);
  ask_worker(self);
}

/// This node's own worker, at another node's wish.
void take_worker(self_pointer self, const worker_actor& worker) {
  if (self->state.worker) // Two have spawned one before either had heard of the other.
    return caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
  adopt(self, worker);
  self->state.settings.adopted(worker);
}

// -- what others announce ---------------------------------------------------------------------------------------------

template <class Handle>
void keep_own(const membership_settings& settings, Handle& handle, const uuid& of) {
  if (handle && settings.start_of(caf::actor_cast<caf::strong_actor_ptr>(handle)) != of)
    handle = Handle{};
}

/// Nobody speaks for another node: who it is and what it is for, its hello has said, and it has no actors of others.
void correct(const membership_settings& settings, member& what, const peer_link& guest) {
  what.roles = guest.roles;
  what.version = guest.version;
  what.address = guest.address;
  keep_own(settings, what.worker, guest.id);
  keep_own(settings, what.store, guest.id);
  keep_own(settings, what.bundles, guest.id);
  keep_own(settings, what.ledger, guest.id);
  if (!guest.roles.worker)
    what.worker = worker_actor{};
  if (!guest.roles.handler_store)
    what.store = handler_store_actor{};
}

bool differ_in_load_only(const member& a, const member& b) {
  return a.id == b.id && a.since_ns == b.since_ns && a.cores == b.cores && a.draining == b.draining
      && a.worker == b.worker && a.store == b.store && a.bundles == b.bundles && a.ledger == b.ledger;
}

void welcome(self_pointer self, membership_actor whom, member what) {
  auto& st = self->state;
  self->monitor(whom);
  const auto name = what.name;
  st.addresses.met(what.address, name);
  const std::vector<acquaintance> news{{name, what.address}};
  tell_all(self, news);
  introduce(self, whom);
  st.peers.insert_or_assign(name, membership_state::peer{std::move(whom), std::move(what)});
  spdlog::info("node {} has joined: {}, {} members", name, config::to_string(st.peers.at(name).what.roles),
               st.peers.size() + 1);
  tell_door(st);
}

/// The guest that an announcement is from; nullptr when it is from nobody that the door has let in under that name.
peer_link* announcing_guest(self_pointer self, const member& what) {
  auto& st = self->state;
  const auto& sender = self->current_sender();
  const auto guest = sender ? st.guests.find(st.settings.start_of(sender)) : st.guests.end();
  if (guest == st.guests.end())
    return nullptr;
  auto& who = *guest->second.who;
  if (what.name == who.name && what.id == who.id)
    return &who;
  if (!std::exchange(guest->second.warned, true))
    spdlog::warn("node {} announces itself as another than its hello said: ignored", who.name);
  return nullptr;
}

void hear(self_pointer self, member& what, const std::vector<acquaintance>& known) {
  auto& st = self->state;
  auto* guest = announcing_guest(self, what);
  if (guest == nullptr || st.gone)
    return;
  auto from = caf::actor_cast<membership_actor>(self->current_sender());
  correct(st.settings, what, *guest);
  const auto found = st.peers.find(what.name);
  if (found == st.peers.end()) {
    guest->guard.reset();
    welcome(self, std::move(from), std::move(what));
  } else if (found->second.membership != from || found->second.left) {
    return; // a double: the door lets none in, and this one came through before the door had heard of the other
  } else {
    auto& peer = found->second;
    if (what.worker)
      peer.spawning_until = {};
    const bool load_only = differ_in_load_only(peer.what, what);
    peer.what = std::move(what);
    if (load_only) {
      tell_load(self, peer.what);
      return learn(self, known);
    }
  }
  learn(self, known);
  spawn_missing_workers(self);
  tell_followers(self);
}

// -- who is gone ------------------------------------------------------------------------------------------------------

using peer_place = std::map<std::string, membership_state::peer>::iterator;

peer_place find_peer(membership_state& st, const caf::actor_addr& membership) {
  return std::ranges::find_if(st.peers,
                              [&](const auto& peer) { return peer.second.membership.address() == membership; });
}

void lose(self_pointer self, const caf::down_msg& down) {
  auto& st = self->state;
  auto& mine = st.settings.self;
  if (st.worker && st.worker.address() == down.source) {
    spdlog::error("this node's worker has ended: {}", caf::to_string(down.reason));
    st.worker = worker_actor{};
    mine.worker = worker_actor{};
    mine.load = {};
    tell_all(self);
    tell_followers(self);
    return;
  }
  const auto found = find_peer(st, down.source);
  if (found == st.peers.end())
    return;
  if (!found->second.left) {
    spdlog::warn("node {} is gone, {} members are left", found->first, st.peers.size());
    answer_all(found->second.awaiting_leave, make_error(errc::node_lost));
  }
  st.addresses.lost(found->first);
  st.guests.erase(found->second.what.id);
  st.peers.erase(found);
  tell_door(st);
  spawn_missing_workers(self);
  tell_followers(self);
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
  auto& st = self->state;
  if (st.gone)
    return;
  self->delayed_send(self, tick_interval, atom::tick::value);
  dial_due(self);
  forget_silent_guests(st, self->clock().now());
  tell_door(st); // also of links that have come to nothing
  spawn_missing_workers(self);
  if (st.worker)
    ask_worker(self);
  else
    tell_again(self);
}

} // namespace

membership_inner::behavior_type membership(self_pointer self, membership_settings settings) {
  auto& st = self->state;
  st.settings = std::move(settings);
  st.addresses = address_book{st.settings.self.name, st.settings.seeds};
  self->set_down_handler([self](const caf::down_msg& down) { lose(self, down); });
  if (const auto worker = std::exchange(st.settings.self.worker, worker_actor{}))
    adopt(self, worker);
  self->send(self, atom::tick::value);
  return {
    [self](atom::announce, member& what, const std::vector<acquaintance>& known) { hear(self, what, known); },
    [self](atom::members) { return members(self->state); },
    [self](atom::drain, const std::string& name, caf::timespan patience) { return drain(self, name, patience); },
    [](atom::retire) { return caf::unit; }, // the announcement came before, and has been told
    [self](atom::goodbye) {
      take_leave(self);
      return caf::unit;
    },
    [self](atom::join, const peer_ptr& link) { join(self, link); },
    [self](atom::join, const config::node_address& at, const membership_actor& whom) { greet(self, at, whom); },
    [self](atom::refuse, const config::node_address& address) {
      self->state.addresses.failed(address, self->clock().now());
    },
    [self](atom::again, const acquaintance& who) {
      self->state.addresses.dial_back(who);
      dial_due(self);
    },
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
