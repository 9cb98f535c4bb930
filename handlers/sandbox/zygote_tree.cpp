#include "handlers/sandbox/zygote_tree.hpp"

#include "config/limits.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::handlers {
namespace {

using namespace std::chrono_literals;

/// Of one package that nobody has measured yet.
constexpr auto import_time_guess = std::chrono::microseconds{50ms};
constexpr uint64_t memory_guess = 8 * limits::mib;

bool includes(const std::set<std::string>& all, const std::set<std::string>& part) {
  return std::ranges::includes(all, part);
}

std::set<std::string> common(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> result;
  std::ranges::set_intersection(a, b, std::inserter(result, result.end()));
  return result;
}

std::set<std::string> difference(const std::set<std::string>& from, const std::set<std::string>& what) {
  std::set<std::string> result;
  std::ranges::set_difference(from, what, std::inserter(result, result.end()));
  return result;
}

} // namespace

zygote_tree::id zygote_tree::choose(const package_set& wanted, const std::set<std::string>& carried) {
  const auto allowed = difference(wanted, banned_);
  if (allowed.empty())
    return root;
  ++clock_;
  note(allowed);
  const id best = best_for(allowed, carried);
  count_misses(allowed, best);
  if (best != root) {
    auto& used = branches_.at(best);
    used.worth = floor_ + value_of(used, ++used.uses);
  }
  return best;
}

zygote_tree::id zygote_tree::best_for(const package_set& wanted, const std::set<std::string>& carried) const {
  id best = root;
  auto saved = std::chrono::microseconds{0};
  for (const auto& [number, each] : branches_) {
    if (each.now != stage::alive || each.import_time <= saved || !includes(wanted, each.packages)
        || !common(each.loaded, carried).empty())
      continue;
    best = number;
    saved = each.import_time;
  }
  return best;
}

void zygote_tree::count_misses(const package_set& wanted, id best) {
  for (auto& [number, each] : branches_) {
    if (!includes(wanted, each.packages))
      continue;
    each.asked = clock_;
    if (each.now == stage::wanted && (best == root || !includes(branches_.at(best).packages, each.packages)))
      ++each.misses;
  }
}

bool zygote_tree::is_known(const package_set& set) const {
  return std::ranges::any_of(branches_, [&](const auto& entry) { return entry.second.packages == set; });
}

/// Begins to count for a set that is new, and for what it has in common with others: that may serve both.
void zygote_tree::note(const package_set& wanted) {
  if (is_known(wanted))
    return;
  std::set<package_set> shared;
  for (const auto& [number, each] : branches_)
    shared.insert(common(each.packages, wanted));
  add(wanted, 0);
  for (const auto& set : shared)
    if (!set.empty() && !is_known(set) && branches_.size() < limits::package_sets_max)
      add(set, 0);
}

void zygote_tree::add(package_set packages, uint32_t misses) {
  if (branches_.size() >= limits::package_sets_max)
    forget_one();
  branch fresh;
  fresh.packages = std::move(packages);
  fresh.misses = misses;
  fresh.asked = clock_;
  branches_.emplace(++last_, std::move(fresh));
}

/// The one that nobody has asked for longest, of those that no process is for.
void zygote_tree::forget_one() {
  auto oldest = branches_.end();
  for (auto at = branches_.begin(); at != branches_.end(); ++at)
    if (at->second.now != stage::alive && at->second.now != stage::growing
        && (oldest == branches_.end() || at->second.asked < oldest->second.asked))
      oldest = at;
  if (oldest != branches_.end())
    branches_.erase(oldest);
}

/// Milliseconds saved a MiB.
double zygote_tree::value_of(const branch& of, uint32_t uses) const {
  const bool measured = of.import_time > 0us;
  const auto time = measured ? of.import_time : import_time_guess * static_cast<int64_t>(of.packages.size());
  const uint64_t memory = std::max<uint64_t>(measured ? of.memory_bytes : memory_guess, limits::kib);
  return uses * (static_cast<double>(time.count()) / 1000) / (static_cast<double>(memory) / limits::mib);
}

/// One that has been measured, and let go, comes back for less than its equals only when there is room.
bool zygote_tree::may_have_room(const branch& of) const {
  if (of.import_time == 0us || memory_used() + of.memory_bytes <= memory_bytes_)
    return true;
  return std::ranges::any_of(branches_, [&](const auto& entry) {
    return entry.second.now == stage::alive && entry.second.worth < floor_ + value_of(of, of.misses);
  });
}

std::optional<zygote_tree::id> zygote_tree::most_wanted() const {
  std::optional<id> best;
  double most = 0;
  for (const auto& [number, each] : branches_) {
    if (each.now == stage::growing)
      return std::nullopt;
    if (each.now != stage::wanted || each.misses < limits::package_misses_min || !may_have_room(each))
      continue;
    if (const double value = value_of(each, each.misses); value > most) {
      best = number;
      most = value;
    }
  }
  return best;
}

std::optional<zygote_tree::growth> zygote_tree::next() {
  const auto best = most_wanted();
  if (!best)
    return std::nullopt;
  auto& chosen = branches_.at(*best);
  growth result{*best, best_for(chosen.packages, {}), {}};
  auto missing = chosen.packages;
  chosen.inherited = 0us;
  chosen.loaded.clear();
  if (result.parent != root) {
    auto& parent = branches_.at(result.parent);
    parent.worth = floor_ + value_of(parent, ++parent.uses);
    missing = difference(chosen.packages, parent.packages);
    chosen.inherited = parent.import_time;
    chosen.loaded = parent.loaded;
  }
  chosen.now = stage::growing;
  result.packages.assign(missing.begin(), missing.end());
  return result;
}

std::vector<zygote_tree::id> zygote_tree::grown(id which, measure what) {
  auto& fresh = branches_.at(which);
  fresh.now = stage::alive;
  fresh.import_time = fresh.inherited + what.import_time;
  fresh.memory_bytes = what.memory_bytes;
  fresh.loaded.merge(what.loaded);
  fresh.uses = std::exchange(fresh.misses, 0);
  fresh.worth = floor_ + value_of(fresh, fresh.uses);
  if (what.import_time < limits::package_gain_min) {
    fresh.now = stage::refused;
    return {which};
  }
  if (what.memory_bytes > memory_bytes_) {
    refuse(which, {});
    return {which};
  }
  std::vector<id> gone;
  while (memory_used() > memory_bytes_ || size() > limits::package_zygotes_max) {
    const auto least = least_worth();
    floor_ = least->second.worth;
    least->second.now = stage::wanted;
    least->second.misses = 0;
    gone.push_back(least->first);
  }
  return gone;
}

std::map<zygote_tree::id, zygote_tree::branch>::iterator zygote_tree::least_worth() {
  auto least = branches_.end();
  for (auto at = branches_.begin(); at != branches_.end(); ++at)
    if (at->second.now == stage::alive && (least == branches_.end() || at->second.worth < least->second.worth))
      least = at;
  return least;
}

void zygote_tree::refuse(id which, const std::string& culprit) {
  auto& refused = branches_.at(which);
  refused.now = stage::refused;
  if (!culprit.empty())
    return ban(culprit);
  if (refused.packages.size() == 1)
    return ban(*refused.packages.begin());
  // One of them is at fault. Each by itself shows which.
  const uint32_t misses = std::max(refused.misses, refused.uses);
  for (const auto& each : refused.packages)
    if (!is_known({each}) && branches_.size() < limits::package_sets_max)
      add({each}, misses);
}

void zygote_tree::ban(const std::string& package) {
  banned_.insert(package);
  for (auto& [number, each] : branches_)
    if (each.now == stage::wanted && each.packages.contains(package))
      each.now = stage::refused;
}

void zygote_tree::put_off(id which) {
  auto& later = branches_.at(which);
  later.now = stage::wanted;
  later.misses = 0;
}

void zygote_tree::lost(id which) {
  auto& dead = branches_.at(which);
  dead.now = ++dead.deaths < limits::package_deaths_max ? stage::wanted : stage::refused;
  dead.misses = 0;
}

uint64_t zygote_tree::memory_used() const {
  uint64_t result = 0;
  for (const auto& [number, each] : branches_)
    if (each.now == stage::alive)
      result += each.memory_bytes;
  return result;
}

size_t zygote_tree::size() const {
  return static_cast<size_t>(
    std::ranges::count_if(branches_, [](const auto& entry) { return entry.second.now == stage::alive; }));
}

} // namespace troupe::handlers
