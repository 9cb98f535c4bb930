#include "actors/turns.hpp"

#include <algorithm>
#include <functional>

namespace troupe {

turns::lane turns::lane_of(std::string_view tenant) const noexcept {
  constexpr uint64_t spread = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio: the upper bits depend on all
  static_assert(lanes == size_t{1} << 10);
  return static_cast<lane>(((std::hash<std::string_view>{}(tenant) ^ salt_) * spread) >> 54);
}

void turns::wait(turn& who, lane of) noexcept {
  queues_[of].waiting.push_back(who);
  enter(queues_[of]);
}

void turns::go_on(turn& who, lane of) noexcept {
  queues_[of].waiting.push_front(who);
  enter(queues_[of]);
}

/// One more waits in it.
void turns::enter(queue& its) noexcept {
  ++waiting_;
  if (!its.is_linked())
    new_.push_back(its);
}

/// One with somebody waiting.
turns::queue& turns::take_lane() noexcept {
  while (!round_.empty() && round_.front().waiting.empty())
    round_.pop_front();
  const bool newcomer = !new_.empty() && (round_.empty() || newcomers_in_a_row_ < newcomers_max);
  newcomers_in_a_row_ = newcomer ? std::min(newcomers_in_a_row_ + 1, newcomers_max) : 0;
  auto& from = newcomer ? new_ : round_;
  auto& its = from.front();
  from.pop_front();
  return its;
}

void turns::take_next() {
  auto& its = take_lane();
  auto& who = its.waiting.front();
  its.waiting.pop_front();
  --waiting_;
  round_.push_back(its); // even with nobody waiting: who comes back within the round is no newcomer
  current_ = static_cast<lane>(&its - queues_.data());
  who.take();
  current_ = 0;
}

} // namespace troupe
