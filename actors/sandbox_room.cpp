// How the pool finds room: what sandboxes count for, what is kept for whom, and which idle one goes first.
#include "actors/sandbox_pool.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// Beyond that, more uses say no more; and the arithmetic below stays in its bounds.
constexpr uint64_t uses_counted_max = 1'000'000;

} // namespace

void sandbox_pool::count_as(sandbox& s, uint64_t bytes) noexcept {
  const auto move = [&](uint64_t& sum) { sum = sum - s.memory + bytes; };
  move(memory_used_);
  move(memory_in_[static_cast<size_t>(s.now)]);
  move(s.home->owner->memory);
  move(s.home->of->memory);
  s.memory = bytes;
}

void sandbox_pool::reserve(const std::string& tenant, const std::string& name, uint32_t sandboxes,
                           uint64_t memory_bytes) {
  std::string key;
  auto& f = function_of(tenant, name, key);
  std::erase(reservations_, &f);
  f.reserved = sandboxes;
  f.reserved_bytes = sandboxes * memory_bytes;
  if (sandboxes > 0)
    reservations_.push_back(&f);
  else if (f.groups == 0)
    functions_.erase(key);
  wake_blocked();
}

void sandbox_pool::limit(const std::string& tenant, const std::string& name, uint32_t concurrency_max) {
  const auto found = functions_.find(tenant + '\0' + name);
  if (found == functions_.end())
    return; // the first invocation brings it
  found->second->concurrency_max = concurrency_max;
  for (auto& [revision, g] : groups_)
    if (g->of == found->second.get())
      make_runnable(*g);
}

/// Sandboxes and memory that functions other than `who` have been promised and do not have.
std::pair<uint32_t, uint64_t> sandbox_pool::kept_for_others(const function_state* who) const noexcept {
  uint32_t sandboxes = 0;
  uint64_t bytes = 0;
  for (const function_state* f : reservations_) {
    if (f == who)
      continue;
    sandboxes += f->reserved - std::min(f->reserved, f->live);
    bytes += f->reserved_bytes - std::min(f->reserved_bytes, f->memory);
  }
  return {sandboxes, std::min(bytes, settings_.memory_bytes / 2)}; // whatever is promised, others can live
}

sandbox_pool::room_found sandbox_pool::room_for(group& g, wanted_for what, uint64_t bytes, sandbox_slot spared,
                                                time_point now) {
  const auto& t = *g.owner;
  if (t.limits.memory_bytes != 0 && t.memory + bytes > t.limits.memory_bytes) {
    g.blocked_by = throttle::tenant_memory;
    if (t.memory - t.stopping + bytes <= t.limits.memory_bytes)
      return {}; // what is ending will make the room
    return evict(&t, spared, now);
  }
  const auto [kept_sandboxes, kept_bytes] = kept_for_others(g.of);
  const uint32_t live =
    count(state::starting) + count(state::idle) + count(state::busy) + count(state::as_template) + kept_sandboxes;
  const uint64_t to_stay = memory_used_ - memory_in(state::stopping);
  // A promise is about new sandboxes: those that are there already may go on.
  const uint64_t needed = bytes + (what == wanted_for::new_sandbox ? kept_bytes : 0);
  const bool too_many = what == wanted_for::new_sandbox && live >= settings_.sandboxes_max;
  uint64_t budget = settings_.memory_bytes - (blanks_wanted_ ? settings_.blank_bytes : 0);
  if (to_stay + needed > budget && blanks_wanted_ && settings_.blank_bytes > 0) {
    blanks_wanted_ = false;
    return {false, blanks{false}};
  }
  if (too_many || to_stay + needed > budget) {
    g.blocked_by = throttle::node_sandboxes;
    if (to_stay - reclaimable(spared) + needed > budget)
      return {}; // not even the end of all idle ones would make the room
    return evict(nullptr, spared, now);
  }
  return {memory_used_ + needed <= budget, {}}; // or else what is stopping will make the room
}

/// Ends the idle sandbox of least worth, of a tenant or of all.
sandbox_pool::room_found sandbox_pool::evict(const tenant_state* of, sandbox_slot spared, time_point now) {
  const auto victim = least_worth(of, spared);
  if (!victim)
    return {};
  inflation_ = sandboxes_[*victim].worth;
  return {false, stop_one(*victim, now)};
}

/// Once most memory is free again, blank sandboxes are worth theirs.
std::optional<sandbox_pool::action> sandbox_pool::restore_blanks() {
  if (blanks_wanted_ || waiting_ > 0)
    return std::nullopt;
  const uint64_t used = memory_used_ + kept_for_others(nullptr).second;
  if (used + settings_.blank_bytes > settings_.memory_bytes / 4 * 3)
    return std::nullopt;
  blanks_wanted_ = true;
  return blanks{true};
}

uint64_t sandbox_pool::reclaimable(sandbox_slot spared) const noexcept {
  return memory_in(state::idle) + memory_in(state::as_template) - (spared == no_slot ? 0 : sandboxes_[spared].memory);
}

/// What an idle sandbox is worth, by the greedy-dual rule (Cao, Irani: "Cost-Aware WWW Proxy Caching Algorithms", 1997;
/// with frequency, Cherkasova 1998): what it would cost to make again, times how often it was used, for each KiB that
/// it holds; and on top the worth of the last one that had to go, so that those which are not used any more go in time.
void sandbox_pool::appraise(sandbox& s) noexcept {
  const uint64_t uses = std::clamp<uint64_t>(s.uses, 1, uses_counted_max);
  const auto cost_us = static_cast<uint64_t>(std::max<int64_t>(s.home->init.count() / 1000, 1));
  s.worth = inflation_ + cost_us * uses / (s.memory / limits::kib + 1);
}

std::optional<sandbox_slot> sandbox_pool::least_worth(const tenant_state* of, sandbox_slot spared) const {
  const auto may_go = [&](sandbox_slot slot) {
    const auto& s = sandboxes_[slot];
    if (s.now == state::as_template) // its copies stay
      return !of || s.home->owner == of;
    return s.now == state::idle && slot != spared && (!of || s.home->owner == of)
        && (of || s.home->of->live > s.home->of->reserved);
  };
  const auto goes_before = [](const sandbox& a, const sandbox& b) {
    return a.worth != b.worth ? a.worth < b.worth : a.since < b.since;
  };
  std::optional<sandbox_slot> found;
  for (sandbox_slot slot = 0; slot < sandboxes_.size(); ++slot)
    if (may_go(slot) && (!found || goes_before(sandboxes_[slot], sandboxes_[*found])))
      found = slot;
  return found;
}

} // namespace troupe
