#include "actors/fair_queue.hpp"

#include <algorithm>
#include <functional>

namespace troupe {

namespace {

/// Virtual time has finer steps than costs, so that weights count even for a small one; and few enough for years.
constexpr uint64_t steps = 64;

} // namespace

fair_queue::flow fair_queue::add(uint32_t weight) {
  flow which = static_cast<flow>(flows_.size());
  if (free_.empty()) {
    flows_.emplace_back();
  } else {
    which = free_.back();
    free_.pop_back();
  }
  flows_[which] = state{.weight = weight, .finish = virtual_time_};
  return which;
}

void fair_queue::remove(flow which) {
  free_.push_back(which);
}

void fair_queue::push(flow which) {
  if (!flows_[which].queued)
    insert(which);
}

void fair_queue::insert(flow which) {
  auto& s = flows_[which];
  s.queued = true;
  heap_.push_back({std::max(virtual_time_, s.finish), ++order_, which});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

void fair_queue::pop() {
  flows_[front()].queued = false;
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
  heap_.pop_back();
}

void fair_queue::charge(uint64_t cost) {
  const entry served = heap_.front();
  auto& s = flows_[served.which];
  const int64_t whole = std::max<int64_t>(static_cast<int64_t>(cost) + s.debt, 0);
  s.debt += static_cast<int64_t>(cost) - whole;
  virtual_time_ = served.start;
  s.finish = served.start + static_cast<uint64_t>(whole) * steps / s.weight;
  pop();
  insert(served.which);
}

} // namespace troupe
