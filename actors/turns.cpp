#include "actors/turns.hpp"

#include <functional>

namespace troupe {

turns::lane turns::lane_of(std::string_view tenant) const noexcept {
  constexpr uint64_t spread = 0x9E3779B97F4A7C15; // 2^64 divided by the golden ratio: the upper bits depend on all
  static_assert(lanes == size_t{1} << 10);
  return static_cast<lane>(((std::hash<std::string_view>{}(tenant) ^ salt_) * spread) >> 54);
}

void turns::wait(turn& who, lane of) noexcept {
  auto& its = queues_[of];
  if (its.waiting.empty())
    busy_.push_back(its);
  its.waiting.push_back(who);
}

void turns::take_next() {
  auto& its = busy_.front();
  busy_.pop_front();
  auto& who = its.waiting.front();
  its.waiting.pop_front();
  if (!its.waiting.empty())
    busy_.push_back(its);
  current_ = static_cast<lane>(&its - queues_.data());
  who.take();
  current_ = 0;
}

} // namespace troupe
