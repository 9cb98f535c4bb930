#include "actors/cluster/telling.hpp"

namespace troupe::member_parts {

namespace {

/// Whom this node knows by a link.
std::vector<acquaintance> acquaintances(const membership_state& st) {
  std::vector<acquaintance> all;
  all.reserve(st.peers.size());
  for (const auto& [name, peer] : st.peers)
    if (!peer.left)
      all.push_back({name, peer.what.address});
  return all;
}

} // namespace

void tell_all(self_pointer self, const std::vector<acquaintance>& of) {
  if (self->state.gone)
    return;
  for (const auto& [name, peer] : self->state.peers)
    self->send(peer.membership, atom::announce::value, self->state.settings.self, of);
}

void introduce(self_pointer self, const membership_actor& to) {
  self->send(to, atom::announce::value, self->state.settings.self, acquaintances(self->state));
}

void tell_again(self_pointer self) {
  auto& st = self->state;
  tell_all(self);
  if (st.peers.empty() || st.gone)
    return;
  auto next = st.peers.upper_bound(st.told_last);
  if (next == st.peers.end())
    next = st.peers.begin();
  st.told_last = next->first;
  introduce(self, next->second.membership);
}

std::vector<member> members(const membership_state& st) {
  std::vector<member> all{st.settings.self};
  for (const auto& [name, peer] : st.peers)
    if (!peer.left)
      all.push_back(peer.what);
  return all;
}

std::vector<member> reachable_members(const membership_state& st) {
  std::vector<member> all{st.settings.self};
  all.front().draining = st.finishing;
  for (const auto& [name, peer] : st.peers)
    all.push_back(peer.what);
  return all;
}

void tell_followers(self_pointer self) {
  for (const auto& follower : self->state.followers)
    self->send(follower, atom::members::value, reachable_members(self->state));
}

void tell_load(self_pointer self, const member& who) {
  for (const auto& follower : self->state.followers)
    self->send(follower, atom::announce::value, who);
}

void tell_door(const membership_state& st) {
  std::map<std::string, presence> present;
  for (const auto& [name, peer] : st.peers)
    present.emplace(name, presence{peer.what.id, peer.what.roles});
  st.settings.admit(present);
}

} // namespace troupe::member_parts
