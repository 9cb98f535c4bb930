#include "actors/worker_table.hpp"

#include "config/limits.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

constexpr uint64_t core_weight = limits::memory_mb_a_core;
constexpr uint32_t cores_max = 4096; ///< that count: no machine has more, and sums stay within 64 bits

/// In MB of memory, of which each core can use so many.
uint32_t weight_of(uint32_t cores, const worker_capacity& capacity) noexcept {
  return static_cast<uint32_t>(std::clamp<uint64_t>(capacity.memory_bytes / limits::mib, 1, cores * core_weight));
}

uint32_t points_of(uint32_t weight) noexcept {
  return static_cast<uint32_t>(
    std::clamp<uint64_t>(weight * uint64_t{limits::ring_points_a_core} / core_weight, 1, limits::ring_points_max));
}

} // namespace

std::optional<worker_index> worker_table::add(std::string node, const worker_capacity& capacity) {
  if (by_node_.size() >= limits::workers_max)
    return std::nullopt;
  auto worker = static_cast<worker_index>(facts_.size());
  if (free_.empty()) {
    facts_.emplace_back();
    loads_.emplace_back();
  } else {
    worker = free_.back();
    free_.pop_back();
  }
  const auto cores = std::clamp(capacity.cores, 1U, cores_max);
  loads_[worker] = {.weight = weight_of(cores, capacity), .cores = cores};
  by_node_.emplace(node, worker);
  facts_[worker] = {.node = std::move(node), .capacity = capacity, .report = {}, .arrival = ++arrivals_};
  open(worker);
  newcomers_.push_back({worker, sent_ + limits::newcomer_sends});
  return worker;
}

void worker_table::settle_newcomers() {
  std::erase_if(newcomers_, [this](const newcomer& who) {
    const auto& of = loads_[who.worker];
    return sent_ >= who.until || uint64_t{load(who.worker)} * 2 * total_weight_ >= total_load_ * of.weight;
  });
}

void worker_table::remove(worker_index worker) {
  if (is_open(worker))
    close(worker);
  warm_.remove(worker);
  by_node_.erase(facts_[worker].node);
  std::erase_if(newcomers_, [worker](const newcomer& who) { return who.worker == worker; });
  facts_[worker] = {};
  loads_[worker] = {};
  free_.push_back(worker);
}

void worker_table::report(worker_index worker, const worker_report& what) {
  const bool was_open = is_open(worker);
  auto& of = loads_[worker];
  const uint64_t all = uint64_t{what.running} + what.waiting;
  const auto others = static_cast<uint32_t>(std::min<uint64_t>(all > of.own ? all - of.own : 0, limits::queue_max));
  if (was_open)
    total_load_ += uint64_t{others} - of.others; // Wraps around when it falls, and so does the sum.
  of.others = others;
  facts_[worker].report = what;
  if (was_open && what.draining)
    close(worker);
  else if (!was_open && !what.draining)
    open(worker);
}

trip worker_table::sent(worker_index worker, const uuid& revision) {
  ++loads_[worker].own;
  if (is_open(worker))
    ++total_load_;
  ++sent_;
  if (!newcomers_.empty())
    settle_newcomers();
  return {worker, facts_[worker].arrival, warm_.sent(worker, revision)};
}

void worker_table::answered(const trip& which, run_end how) {
  if (which.worker >= facts_.size() || facts_[which.worker].arrival != which.arrival)
    return;
  --loads_[which.worker].own;
  if (is_open(which.worker))
    --total_load_;
  warm_.answered(which.sandbox, how);
}

void worker_table::refused(const trip& which) {
  if (which.worker >= facts_.size() || facts_[which.worker].arrival != which.arrival)
    return;
  auto what = facts_[which.worker].report;
  what.draining = true;
  report(which.worker, what);
}

void worker_table::hear_load(const trip& with, uint32_t running, uint32_t waiting) {
  if (with.worker >= facts_.size() || facts_[with.worker].arrival != with.arrival)
    return;
  auto what = facts_[with.worker].report;
  what.running = running;
  what.waiting = waiting;
  report(with.worker, what);
}

std::optional<worker_index> worker_table::find(std::string_view node) const {
  const auto found = by_node_.find(std::string{node});
  return found == by_node_.end() ? std::nullopt : std::optional{found->second};
}

void worker_table::open(worker_index worker) {
  open_.insert(std::lower_bound(open_.begin(), open_.end(), worker), worker);
  total_load_ += load(worker);
  total_weight_ += loads_[worker].weight;
  ring_.add(worker, facts_[worker].node, points_of(loads_[worker].weight));
  warm_.open(worker);
}

void worker_table::close(worker_index worker) {
  open_.erase(std::lower_bound(open_.begin(), open_.end(), worker));
  total_load_ -= load(worker);
  total_weight_ -= loads_[worker].weight;
  ring_.remove(worker);
  warm_.close(worker);
}

} // namespace troupe
