#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace troupe::bench {

/// A worker as the simulation of balancing has it: cores with one queue, and sandboxes that stay for a time once they
/// are idle. Times are in seconds of the simulation.
class simulated_worker {
public:
  using function = uint32_t;

  simulated_worker(uint32_t cores, uint32_t sandboxes_max) : cores_{cores}, sandboxes_max_{sandboxes_max} {}

  /// A sandbox begins to run the function: an idle one, the one that ran last, or a new one, for which the longest idle
  /// one of all may have to go. Whether one was idle.
  bool begin(function which, std::vector<function>& ended) {
    ++running_;
    auto& of = by_function_[which];
    ++of.running;
    if (!of.idle.empty()) {
      unlink(of.idle.back());
      of.idle.pop_back();
      return true;
    }
    if (sandboxes() > sandboxes_max_ && first_ != none)
      ended.push_back(end_first());
    return false;
  }

  /// The run has ended at `now`, and its sandbox is idle.
  void end(function which, double now) {
    --running_;
    auto id = static_cast<uint32_t>(entries_.size());
    if (free_.empty()) {
      entries_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    entries_[id] = {which, now, last_, none};
    (last_ == none ? first_ : entries_[last_].after) = id;
    last_ = id;
    auto& of = by_function_[which];
    --of.running;
    of.idle.push_back(id);
    ++idle_count_;
  }

  /// Ends the sandboxes that have been idle since before `limit`.
  void expire(double limit, std::vector<function>& ended) {
    while (first_ != none && entries_[first_].since < limit)
      ended.push_back(end_first());
  }

  bool has_free_core() const { return running_ < cores_; }
  uint32_t running() const { return running_; }
  uint32_t sandboxes() const { return running_ + idle_count_; }

  uint32_t sandboxes_of(function which) const {
    const auto found = by_function_.find(which);
    return found == by_function_.end() ? 0 : found->second.running + static_cast<uint32_t>(found->second.idle.size());
  }

  std::deque<uint32_t> queue; ///< of calls
  double busy_seconds = 0;    ///< of its cores

private:
  static constexpr uint32_t none = UINT32_MAX;

  /// An idle sandbox, in a chain by the time since when.
  struct entry {
    function which = 0;
    double since = 0;
    uint32_t before = none, after = none;
  };

  struct sandboxes_of_function {
    uint32_t running = 0;
    std::vector<uint32_t> idle; ///< the longest idle first
  };

  function end_first() {
    const auto id = first_;
    const auto which = entries_[id].which;
    const auto found = by_function_.find(which);
    auto& of = found->second;
    of.idle.erase(of.idle.begin()); // The longest idle of all is that of its function, too.
    unlink(id);
    if (of.idle.empty() && of.running == 0)
      by_function_.erase(found);
    return which;
  }

  void unlink(uint32_t id) {
    const auto& e = entries_[id];
    (e.before == none ? first_ : entries_[e.before].after) = e.after;
    (e.after == none ? last_ : entries_[e.after].before) = e.before;
    free_.push_back(id);
    --idle_count_;
  }

  uint32_t cores_;
  uint32_t sandboxes_max_;
  uint32_t running_ = 0;
  uint32_t idle_count_ = 0;
  std::unordered_map<function, sandboxes_of_function> by_function_;
  std::vector<entry> entries_;
  std::vector<uint32_t> free_;
  uint32_t first_ = none, last_ = none;
};

} // namespace troupe::bench
