#include "actors/cluster/roll.hpp"

#include "config/limits.hpp"

namespace troupe {

namespace {

void learn(roll_state& st, const std::vector<member>& all) {
  auto left = std::exchange(st.present, {});
  for (const auto& who : all) {
    left.erase(who.name);
    st.gone.erase(who.name);
    st.present.emplace(who.name, who.address);
  }
  for (auto& [name, address] : left)
    if (st.gone.size() < limits::members_max)
      st.gone.insert_or_assign(name, std::move(address));
}

} // namespace

roll_actor::behavior_type roll(roll_actor::stateful_pointer<roll_state> self) {
  return {
    [self](atom::members, const std::vector<member>& all) { learn(self->state, all); },
    [](atom::announce, const member&) {}, // loads are nothing to it
    [self](atom::list) {
      std::vector<acquaintance> gone;
      gone.reserve(self->state.gone.size());
      for (const auto& [name, address] : self->state.gone)
        gone.push_back({name, address});
      return gone;
    },
  };
}

} // namespace troupe
