#pragma once

#include <cstdint>
#include <vector>

namespace troupe {

/// Decides whose turn it is among flows of different weights, when what a turn costs is known only afterwards:
/// start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queuing", SIGCOMM 1996). Each flow has a tag in
/// virtual time; the least one is next, and its tag moves on by what it was given, divided by its weight. Virtual time
/// is the tag of whoever was served last, so that a flow which was away for long gets no more than its share when it
/// returns.
/// A turn is charged with an estimate, and the next one with the difference. Pure: no clock, no actor.
class fair_queue {
public:
  using flow = uint32_t;

  /// `weight` is 1 or more.
  flow add(uint32_t weight);

  /// Forgets a flow that is not queued.
  void remove(flow which);

  /// Has something to do. Without effect when it is queued already.
  void push(flow which);

  bool empty() const noexcept { return heap_.empty(); }
  flow front() const noexcept { return heap_.front().which; }

  /// The front has nothing to do.
  void pop();

  /// The front was served, for what is expected to cost `cost` (us of run time); it stays queued.
  void charge(uint64_t cost);

  /// What was charged earlier has cost that much more, or less.
  void correct(flow which, int64_t difference) noexcept { flows_[which].debt += difference; }

private:
  struct state {
    uint32_t weight = 1;
    uint64_t finish = 0; ///< where its next turn starts, unless virtual time is past that
    int64_t debt = 0;
    bool queued = false;
  };

  struct entry {
    uint64_t start;
    uint64_t order; ///< first come, first served among equals
    flow which;

    bool operator>(const entry& other) const noexcept {
      return start != other.start ? start > other.start : order > other.order;
    }
  };

  void insert(flow which);

  std::vector<state> flows_;
  std::vector<flow> free_;
  std::vector<entry> heap_; ///< the least first
  uint64_t virtual_time_ = 0;
  uint64_t order_ = 0;
};

} // namespace troupe
