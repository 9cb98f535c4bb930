#include "actors/sandbox_pool.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// How many blocked groups an event looks at: enough to be fair in turn, few enough to bound an event's cost.
constexpr size_t blocked_looked_at = 16;

uint64_t memory_bytes_of(const storage::function_version& function) noexcept {
  return uint64_t{function.config.memory_mb} * limits::mib;
}

} // namespace

bool sandbox_pool::submit(const storage::function_version& function, call_ticket call, time_point now) {
  if (waiting_ >= settings_.queue_limit || memory_bytes_of(function) > settings_.memory_bytes)
    return false;
  auto& g = group_of(function);
  g.waiting.push_back({call, now});
  ++waiting_;
  make_runnable(g);
  return true;
}

void sandbox_pool::submit_again(const storage::function_version& function, call_ticket call, time_point now) {
  auto& g = group_of(function);
  g.waiting.push_front({call, now});
  ++waiting_;
  make_runnable(g);
}

sandbox_pool::group& sandbox_pool::group_of(const storage::function_version& function) {
  auto& g = groups_[function.revision];
  if (!g) {
    g = std::make_unique<group>();
    g->revision = function.revision;
    g->memory_bytes = memory_bytes_of(function);
  }
  return *g;
}

void sandbox_pool::ready(sandbox_slot slot, time_point now) {
  auto& s = sandboxes_[slot];
  --s.home->starting;
  enter(slot, state::idle, now);
  make_runnable(*s.home);
  wake_blocked();
}

void sandbox_pool::idle(sandbox_slot slot, duration run, time_point now) {
  auto& s = sandboxes_[slot];
  if (run > duration::zero())
    s.home->learn(run);
  end_run(s);
  enter(slot, state::idle, now);
  make_runnable(*s.home);
  wake_blocked();
}

void sandbox_pool::gone(sandbox_slot slot) {
  auto& s = sandboxes_[slot];
  auto& g = *s.home;
  if (s.now == state::idle)
    leave_idle(slot);
  if (s.now == state::starting)
    --g.starting;
  end_run(s);
  --g.live;
  memory_used_ -= g.memory_bytes;
  enter(slot, state::vacant, s.since);
  s = sandbox{};
  make_runnable(g);
  wake_blocked();
}

std::optional<sandbox_pool::action> sandbox_pool::next(time_point now) {
  age_short_runs(now);
  // Groups that were blocked by time alone are looked at again whenever somebody asks.
  if (runnable_.empty())
    wake_blocked();
  while (!runnable_.empty()) {
    auto& g = *runnable_.front();
    if (auto found = next_of(g, now))
      return found;
    runnable_.pop_front();
    g.where = place::nowhere;
    if (g.waiting.empty()) {
      erase_if_unused(g);
    } else {
      g.where = place::blocked;
      blocked_.push_back(&g);
    }
  }
  return std::nullopt;
}

std::optional<call_ticket> sandbox_pool::take_waiting(const uuid& revision) {
  const auto found = groups_.find(revision);
  if (found == groups_.end() || found->second->waiting.empty())
    return std::nullopt;
  auto& g = *found->second;
  const auto call = g.waiting.front().call;
  g.waiting.pop_front();
  --waiting_;
  make_runnable(g);
  return call;
}

std::vector<call_ticket> sandbox_pool::expire(time_point now) {
  std::vector<call_ticket> expired;
  for (auto& [revision, g] : groups_) {
    while (!g->waiting.empty() && now - g->waiting.front().since >= settings_.wait_max) {
      expired.push_back(g->waiting.front().call);
      g->waiting.pop_front();
      --waiting_;
      make_runnable(*g);
    }
  }
  return expired;
}

void sandbox_pool::stop_idle_since(time_point limit) {
  for (auto& s : sandboxes_) {
    if (s.now == state::idle && s.since < limit) {
      s.to_stop = true;
      make_runnable(*s.home);
    }
  }
}

void sandbox_pool::retire(const uuid& revision) {
  if (const auto found = groups_.find(revision); found != groups_.end()) {
    found->second->retired = true;
    make_runnable(*found->second);
  }
}

void sandbox_pool::drain() {
  draining_ = true;
  for (auto& [revision, g] : groups_)
    make_runnable(*g);
}

std::optional<sandbox_pool::action> sandbox_pool::next_of(group& g, time_point now) {
  if (g.waiting.empty()) {
    const bool unwanted = g.retired || draining_;
    const auto victim = std::find_if(g.idle.begin(), g.idle.end(),
                                     [&](sandbox_slot slot) { return unwanted || sandboxes_[slot].to_stop; });
    if (victim == g.idle.end())
      return std::nullopt;
    return stop_one(*victim, now);
  }
  if (g.idle.empty())
    return wants_start(g, now) ? start_for(g, now) : std::nullopt;
  if (is_short(g) && short_count_ >= settings_.width)
    return std::nullopt;
  const auto slot = g.idle.back();
  const auto call = g.waiting.front().call;
  g.waiting.pop_front();
  --waiting_;
  leave_idle(slot);
  enter(slot, state::busy, now);
  sandboxes_[slot].counted = true;
  ++short_count_;
  short_runs_.push_back({slot, now});
  return give{slot, call};
}

/// Follows the quantile at which steps up and down balance: a fifth of the runs is shorter. Others may be in the way of
/// a run and never out of it, so the short ones tell what it takes.
void sandbox_pool::group::learn(duration run) noexcept {
  if (!typical_run)
    typical_run = run;
  else if (run > *typical_run)
    *typical_run += *typical_run / 16;
  else
    *typical_run -= *typical_run / 4;
}

bool sandbox_pool::wants_start(const group& g, time_point now) const noexcept {
  if (g.live == 0)
    return true;
  if (g.starting >= g.waiting.size() || g.starting >= 2 * settings_.width)
    return false;
  if (!is_short(g))
    return true;
  return g.starting == 0 && g.live - g.overlong < settings_.width
      && now - g.waiting.front().since >= settings_.start_after;
}

std::optional<sandbox_pool::action> sandbox_pool::start_for(group& g, time_point now) {
  if (count(state::starting) >= settings_.launches_max)
    return std::nullopt;
  const uint32_t live = count(state::starting) + count(state::idle) + count(state::busy);
  const uint64_t to_stay = memory_used_ - memory_of(state::stopping);
  if (live >= settings_.sandboxes_max || to_stay + g.memory_bytes > settings_.memory_bytes) {
    if (to_stay - memory_of(state::idle) + g.memory_bytes > settings_.memory_bytes)
      return std::nullopt; // Not even the end of all idle ones would make the room.
    const auto victim = longest_idle();
    return victim ? std::optional{stop_one(*victim, now)} : std::nullopt;
  }
  if (memory_used_ + g.memory_bytes > settings_.memory_bytes)
    return std::nullopt; // What is stopping will make the room.
  const auto slot = vacant_slot();
  sandboxes_[slot].home = &g;
  ++g.starting;
  ++g.live;
  memory_used_ += g.memory_bytes;
  enter(slot, state::starting, now);
  return start{slot, g.revision};
}

sandbox_pool::action sandbox_pool::stop_one(sandbox_slot slot, time_point now) {
  leave_idle(slot);
  enter(slot, state::stopping, now);
  return stop{slot};
}

std::optional<sandbox_slot> sandbox_pool::longest_idle() const {
  std::optional<sandbox_slot> found;
  for (sandbox_slot slot = 0; slot < sandboxes_.size(); ++slot) {
    const auto& s = sandboxes_[slot];
    if (s.now == state::idle && (!found || s.since < sandboxes_[*found].since))
      found = slot;
  }
  return found;
}

uint64_t sandbox_pool::memory_of(state which) const noexcept {
  if (count(which) == 0)
    return 0;
  uint64_t sum = 0;
  for (const auto& s : sandboxes_)
    if (s.now == which)
      sum += s.home->memory_bytes;
  return sum;
}

void sandbox_pool::make_runnable(group& g) {
  if (g.where == place::runnable)
    return;
  if (g.where == place::blocked)
    std::erase(blocked_, &g);
  g.where = place::runnable;
  runnable_.push_back(&g);
}

void sandbox_pool::wake_blocked() {
  for (size_t n = std::min(blocked_looked_at, blocked_.size()); n > 0; --n) {
    auto& g = *blocked_.front();
    blocked_.pop_front();
    g.where = place::runnable;
    runnable_.push_back(&g);
  }
}

void sandbox_pool::enter(sandbox_slot slot, state to, time_point now) {
  auto& s = sandboxes_[slot];
  --counts_[static_cast<size_t>(s.now)];
  ++counts_[static_cast<size_t>(to)];
  s.now = to;
  s.since = now;
  s.to_stop = false;
  if (to == state::idle) {
    auto& idle = s.home->idle;
    idle.insert(std::upper_bound(idle.begin(), idle.end(), slot, std::greater<>{}), slot);
  }
}

void sandbox_pool::leave_idle(sandbox_slot slot) {
  auto& idle = sandboxes_[slot].home->idle;
  if (idle.back() == slot)
    idle.pop_back();
  else
    std::erase(idle, slot);
}

void sandbox_pool::end_count(sandbox& s) {
  if (s.counted) {
    s.counted = false;
    --short_count_;
  }
}

void sandbox_pool::end_run(sandbox& s) {
  end_count(s);
  if (s.overlong) {
    s.overlong = false;
    --s.home->overlong;
  }
}

void sandbox_pool::age_short_runs(time_point now) {
  while (!short_runs_.empty() && now - short_runs_.front().since >= settings_.patience) {
    auto& s = sandboxes_[short_runs_.front().slot];
    if (s.counted && s.since == short_runs_.front().since) {
      end_count(s);
      s.overlong = true;
      ++s.home->overlong;
    }
    short_runs_.pop_front();
  }
}

void sandbox_pool::erase_if_unused(group& g) {
  if (g.live == 0 && g.waiting.empty())
    groups_.erase(uuid{g.revision});
}

sandbox_slot sandbox_pool::vacant_slot() {
  const auto found =
    std::find_if(sandboxes_.begin(), sandboxes_.end(), [](const sandbox& s) { return s.now == state::vacant; });
  if (found != sandboxes_.end())
    return static_cast<sandbox_slot>(found - sandboxes_.begin());
  sandboxes_.emplace_back();
  ++counts_[static_cast<size_t>(state::vacant)];
  return static_cast<sandbox_slot>(sandboxes_.size() - 1);
}

} // namespace troupe
