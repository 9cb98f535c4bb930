#pragma once

#include "actors/hash_ring.hpp"
#include "actors/warm_sandboxes.hpp"
#include "config/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace troupe {

/// What a worker has to give.
struct worker_capacity {
  uint32_t cores = 1;
  uint64_t memory_bytes = 0; ///< for sandboxes
};

/// What a worker says of itself, all balancers' invocations together.
struct worker_report {
  uint32_t running = 0;
  uint32_t waiting = 0;
  uint32_t sandboxes = 0;
  bool draining = false; ///< it takes no more invocations
};

/// An invocation on its way: what `worker_table::sent` gives, and `answered` wants back, once.
struct trip {
  worker_index worker = 0;
  uint64_t arrival = 0; ///< of the worker that it went to: the index may have become another's
  warm_sandboxes::sending sandbox;
};

/// What a balancer knows of its workers. Policies choose by it (actors/policies.hpp); whoever sends an invocation tells
/// it here, and so does whoever hears of its end.
///
/// The load of a worker is what this balancer has in flight there, which it knows to the last one, and what others had
/// there when the worker last reported: that is the report without those in flight at that moment, so that nothing
/// counts twice. It can be compared by weight: cores, or fewer where there is not the memory to use them.
///
/// Workers that drain are remembered, but take no part in anything that policies see. Pure: no clock, no actor.
class worker_table {
public:
  /// A new worker that nothing is known of yet; nullopt when there are limits::workers_max. `node` is not there yet.
  std::optional<worker_index> add(std::string node, const worker_capacity& capacity);

  /// The worker is gone, and all that is known of it; invocations on their way to it may be answered or not.
  void remove(worker_index worker);

  void report(worker_index worker, const worker_report& what);

  /// The same from an answer, which tells a load only. Without effect when the worker has gone meanwhile.
  void hear_load(const trip& with, uint32_t running, uint32_t waiting);

  /// It takes no more: nobody is sent there until it reports that it does. Without effect when it has gone meanwhile.
  void refused(const trip& which);

  [[nodiscard]] trip sent(worker_index worker, const uuid& revision);

  /// Without effect when the worker has gone meanwhile.
  void answered(const trip& which, run_end how);

  /// The worker tells that idle sandboxes of the revision have ended, and how many it has left.
  void remaining(worker_index worker, const uuid& revision, uint32_t sandboxes) {
    warm_.remaining(worker, revision, sandboxes);
  }

  /// The revision is no longer deployed.
  void forget(const uuid& revision) { warm_.forget(revision); }

  std::optional<worker_index> find(std::string_view node) const;
  size_t size() const noexcept { return by_node_.size(); }
  const std::string& node(worker_index worker) const noexcept { return facts_[worker].node; }
  const worker_capacity& capacity(worker_index worker) const noexcept { return facts_[worker].capacity; }
  const worker_report& last_report(worker_index worker) const noexcept { return facts_[worker].report; }
  uint32_t in_flight(worker_index worker) const noexcept { return loads_[worker].own; }
  const warm_sandboxes& warm() const noexcept { return warm_; }
  const hash_ring& ring() const noexcept { return ring_; }

  /// Those that take invocations, by rising index.
  std::span<const worker_index> open() const noexcept { return open_; }

  /// Whether a worker that has joined lately still waits for its share of what there is.
  bool has_newcomer() const noexcept { return !newcomers_.empty(); }

  uint32_t load(worker_index worker) const noexcept { return loads_[worker].own + loads_[worker].others; }

  /// Whether `a` will be the less loaded for its weight, when each has one more.
  bool less_loaded(worker_index a, worker_index b) const noexcept {
    return (load(a) + uint64_t{1}) * loads_[b].weight < (load(b) + uint64_t{1}) * loads_[a].weight;
  }

  /// Whether one more leaves the worker with no more than `percent` of its fair share of all invocations, that one
  /// included, rounded up; or with no more than it has cores for, since then nobody waits whatever others have.
  bool within_share(worker_index worker, uint32_t percent) const noexcept {
    const auto& of = loads_[worker];
    const uint64_t has = of.own + of.others;
    return has < of.cores || has * 100 * total_weight_ < percent * (total_load_ + 1) * of.weight;
  }

private:
  /// What decisions read, small, so that all workers' fit into a cache.
  struct load_row {
    uint32_t own = 0;    ///< in flight from here
    uint32_t others = 0; ///< of other balancers
    uint32_t weight = 1;
    uint32_t cores = 1;
  };

  struct worker_facts {
    std::string node;
    worker_capacity capacity;
    worker_report report;
    uint64_t arrival = 0; ///< a number of its own; 0: there is no worker of this index
  };

  /// A worker that has joined, until it has had half its share, or so many invocations have been sent.
  struct newcomer {
    worker_index worker;
    uint64_t until; ///< as `sent_` counts
  };

  void settle_newcomers();

  bool is_open(worker_index worker) const noexcept { return !facts_[worker].report.draining; }
  void open(worker_index worker);
  void close(worker_index worker);

  std::vector<load_row> loads_;     ///< by index
  std::vector<worker_facts> facts_; ///< by index
  std::vector<worker_index> free_;
  std::vector<worker_index> open_; ///< sorted
  std::unordered_map<std::string, worker_index> by_node_;
  hash_ring ring_; ///< of those that are open
  warm_sandboxes warm_;
  uint64_t total_load_ = 0;   ///< of those that are open
  uint64_t total_weight_ = 0; ///< of those that are open
  uint64_t arrivals_ = 0;
  std::vector<newcomer> newcomers_;
  uint64_t sent_ = 0; ///< invocations, to all
};

} // namespace troupe
