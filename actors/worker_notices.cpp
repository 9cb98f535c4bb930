#include "actors/worker_steps.hpp"

#include <algorithm>

namespace troupe::working {

namespace {

using std::chrono::steady_clock;

constexpr uint32_t asked_in_silence = 4; ///< times, before a balancer counts as silent

uint64_t number_of(steady_clock::time_point when) {
  return static_cast<uint64_t>(std::chrono::nanoseconds{when.time_since_epoch()}.count());
}

steady_clock::time_point time_of(uint64_t number) {
  return steady_clock::time_point{std::chrono::nanoseconds{number}};
}

auto find(worker_state& st, const caf::actor_addr& who) {
  return std::ranges::find_if(st.followers, [&](const auto& each) { return each.handle.address() == who; });
}

bool is_here(self_pointer self, const caf::strong_actor_ptr& who) {
  return who->node() == self->node();
}

} // namespace

void follow(self_pointer self, const dispatcher_actor& who) {
  auto& st = self->state;
  if (find(st, who.address()) != st.followers.end())
    return;
  self->monitor(who);
  st.followers.push_back({who, steady_clock::now() + st.settings.silence_max});
  if (!std::exchange(st.asks_for_life, true))
    ask_for_life(self);
}

bool lose_follower(self_pointer self, const caf::actor_addr& who) {
  auto& st = self->state;
  const auto found = find(st, who);
  if (found == st.followers.end())
    return false;
  st.followers.erase(found);
  return true;
}

void ask_for_life(self_pointer self) {
  auto& st = self->state;
  st.asks_for_life = !st.followers.empty();
  if (!st.asks_for_life)
    return;
  // The balancer sends back when it was asked, by this node's own clock: what has lain in a socket while the node stood
  // still is old when it is read, and no two clocks are compared.
  for (const auto& each : st.followers)
    self->send(each.handle, atom::alive::value, number_of(steady_clock::now()));
  self->delayed_send(self, st.settings.silence_max / asked_in_silence, atom::alive::value);
}

void hear_of_life(self_pointer self, uint64_t asked_ns) {
  auto& st = self->state;
  const auto found = find(st, caf::actor_cast<caf::actor_addr>(self->current_sender()));
  if (found == st.followers.end() || asked_ns > number_of(steady_clock::now()))
    return;
  found->heard_until = std::max(found->heard_until, time_of(asked_ns) + st.settings.silence_max);
}

bool is_heard(self_pointer self, const caf::strong_actor_ptr& sender) {
  if (!sender || is_here(self, sender))
    return true;
  const auto found = find(self->state, caf::actor_cast<caf::actor_addr>(sender));
  return found != self->state.followers.end() && steady_clock::now() < found->heard_until;
}

void tell_waiting(self_pointer self, call_ticket ticket) {
  auto* waiting = self->state.waiting.find(ticket);
  if (waiting == nullptr || !waiting->sender)
    return;
  waiting->told = true;
  self->send(caf::actor_cast<dispatcher_actor>(waiting->sender), atom::queued::value, waiting->call.ticket);
}

void tell_begun(self_pointer self, const waiting_calls::entry& what) {
  if (what.told)
    self->send(caf::actor_cast<dispatcher_actor>(what.sender), atom::begun::value, what.call.ticket);
}

void tell_remaining(self_pointer self, const uuid& revision) {
  const auto& st = self->state;
  for (const auto& each : st.followers)
    self->send(each.handle, atom::remaining::value, revision, st.pool.sandboxes_of(revision));
}

} // namespace troupe::working
