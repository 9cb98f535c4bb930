#include "actors/cluster/telling.hpp"

namespace troupe::member_parts {

std::vector<acquaintance> acquaintances(const membership_state& st) {
  std::vector<acquaintance> all;
  all.reserve(st.peers.size());
  for (const auto& [name, peer] : st.peers)
    all.push_back({name, peer.what.address});
  return all;
}

void tell_all(self_pointer self) {
  if (self->state.gone)
    return;
  const auto known = acquaintances(self->state);
  for (const auto& [name, peer] : self->state.peers)
    self->send(peer.membership, atom::announce::value, self->state.settings.self, known);
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

void tell_door(const membership_state& st) {
  std::map<std::string, uuid> present;
  for (const auto& [name, peer] : st.peers)
    present.emplace(name, peer.what.id);
  st.settings.admit(present);
}

} // namespace troupe::member_parts
