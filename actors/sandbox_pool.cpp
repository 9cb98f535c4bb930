#include "actors/sandbox_pool.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// What a run is expected to take while nothing is known.
constexpr std::chrono::nanoseconds unknown_run = std::chrono::milliseconds{1};

} // namespace

// -- what happens ----------------------------------------------------------------------------------------------------

sandbox_pool::admission sandbox_pool::submit(const storage::function_version& function, call_ticket call,
                                             time_point now) {
  if (memory_limit_of(function) > settings_.memory_bytes)
    return {throttle::memory, {}};
  if (function.config.concurrency_max == 0)
    return {throttle::function_concurrency, {}};
  auto& g = group_of(function);
  g.of->concurrency_max = function.config.concurrency_max; // which may change without a new revision
  admission result;
  if (waiting_ >= settings_.queue_limit) {
    result.pushed_out = push_out_for(*g.owner);
    if (!result.pushed_out) {
      erase_if_unused(g);
      return {throttle::queue_full, {}};
    }
  }
  g.waiting.push_back({call, now});
  ++waiting_;
  ++g.owner->waiting;
  make_runnable(g);
  return result;
}

void sandbox_pool::submit_again(const storage::function_version& function, call_ticket call, time_point now) {
  auto& g = group_of(function);
  g.waiting.push_front({call, now});
  ++waiting_;
  ++g.owner->waiting;
  make_runnable(g);
}

void sandbox_pool::ready(sandbox_slot slot, time_point now) {
  auto& s = sandboxes_[slot];
  auto& g = *s.home;
  if (is_template(slot)) {
    template_ready(slot, now);
    return;
  }
  --g.starting;
  --g.owner->starting;
  g.init = now - s.since;
  if (!s.copied)
    g.shortest_load = std::min(g.init, g.shortest_load.value_or(g.init));
  settle_charge(s, g.init);
  enter(slot, state::idle, now);
  make_runnable(g);
  wake_blocked();
}

void sandbox_pool::idle(sandbox_slot slot, run_times run, time_point now) {
  auto& s = sandboxes_[slot];
  if (run.taken > duration::zero())
    s.home->learn(run, settings_.patience);
  settle_charge(s, run.taken);
  end_run(s);
  enter(slot, state::idle, now);
  make_runnable(*s.home);
  wake_blocked();
}

void sandbox_pool::frozen(sandbox_slot slot, uint64_t held_bytes) {
  auto& s = sandboxes_[slot];
  if (s.now != state::idle && s.now != state::as_template)
    return;
  count_as(s, std::min(held_bytes, s.home->memory_bytes));
  appraise(s);
  wake_blocked();
}

void sandbox_pool::gone(sandbox_slot slot, time_point now) {
  auto& s = sandboxes_[slot];
  auto& g = *s.home;
  if (is_template(slot)) {
    template_gone(slot);
    return;
  }
  if (s.now == state::starting || s.now == state::busy)
    settle_charge(s, now - s.since);                               // who dies has used the time all the same
  if (s.now == state::busy && now - s.since >= settings_.patience) // an early death says nothing about runs
    g.learn({now - s.since, {}}, settings_.patience);
  if (s.now == state::idle)
    leave_idle(slot);
  if (s.now == state::starting) {
    --g.starting;
    --g.owner->starting;
  }
  end_run(s);
  if (s.now == state::stopping)
    g.owner->stopping -= s.memory;
  else
    --g.of->live;
  --g.live;
  count_as(s, 0);
  enter(slot, state::vacant, s.since);
  s = sandbox{};
  make_runnable(g);
  wake_blocked();
}

std::optional<call_ticket> sandbox_pool::take_waiting(const uuid& revision) {
  const auto found = groups_.find(revision);
  if (found == groups_.end() || found->second->waiting.empty())
    return std::nullopt;
  auto& g = *found->second;
  make_runnable(g);
  return drop_front(g);
}

std::vector<sandbox_pool::expired> sandbox_pool::expire(time_point now) {
  std::vector<expired> result;
  next_expiry_ = time_point::max();
  for (auto& [revision, g] : groups_) {
    while (!g->waiting.empty() && now - g->waiting.front().since >= wait_max_of(*g)) {
      result.push_back({drop_front(*g), g->blocked_by});
      make_runnable(*g);
    }
    if (!g->waiting.empty())
      next_expiry_ = std::min(next_expiry_, g->waiting.front().since + wait_max_of(*g));
  }
  return result;
}

void sandbox_pool::stop_idle_since(time_point limit) {
  for (auto& s : sandboxes_) {
    const bool unused = s.now == state::idle || (s.now == state::as_template && s.home->live == 0);
    if (unused && s.since < limit) {
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

// -- what to do ------------------------------------------------------------------------------------------------------

std::optional<sandbox_pool::action> sandbox_pool::next(time_point now) {
  age_runs(now);
  // Groups that were blocked by time alone are looked at again whenever somebody asks.
  if (turns_.empty())
    wake_blocked();
  while (!turns_.empty()) {
    auto& t = *by_flow_[turns_.front()];
    auto& g = *t.runnable.front();
    if (auto found = next_of(g, now)) {
      if (t.runnable.size() > 1) { // the tenant's functions take turns
        t.runnable.pop_front();
        t.runnable.push_back(&g);
      }
      return found;
    }
    t.runnable.pop_front();
    g.where = place::nowhere;
    if (t.runnable.empty())
      turns_.pop();
    if (g.waiting.empty())
      erase_if_unused(g);
    else if (!waits_for_its_own(g))
      park(t, g);
  }
  return restore_blanks();
}

std::optional<sandbox_pool::action> sandbox_pool::next_of(group& g, time_point now) {
  if (g.waiting.empty()) {
    const bool unwanted = g.retired || draining_;
    const auto victim = std::find_if(g.idle.begin(), g.idle.end(),
                                     [&](sandbox_slot slot) { return unwanted || sandboxes_[slot].to_stop; });
    if (victim == g.idle.end())
      return stop_template(g, now);
    return stop_one(*victim, now);
  }
  if (g.of->running >= g.of->concurrency_max)
    return blocked(g, throttle::function_concurrency);
  const auto& tenant = g.owner->limits;
  if (tenant.concurrency != 0 && g.owner->running >= tenant.concurrency)
    return blocked(g, throttle::tenant_concurrency);
  g.blocked_by = throttle::waited_too_long;
  if (!g.idle.empty())
    return has_to_wait(g) ? std::nullopt : give_to(g, now);
  if (g.starting >= g.waiting.size()) // each waits for its sandbox and for no limit
    return std::nullopt;
  if (g.of->live >= g.of->concurrency_max)
    return replace_one(g, now);
  if (tenant.concurrency != 0 && g.owner->running + g.owner->starting >= tenant.concurrency)
    return blocked(g, throttle::tenant_concurrency);
  return wants_start(g, now) ? start_for(g, now) : std::nullopt;
}

/// The function has as many sandboxes as it may: an idle one of another revision makes room.
std::optional<sandbox_pool::action> sandbox_pool::replace_one(group& g, time_point now) {
  const auto old = std::ranges::find_if(
    sandboxes_, [&g](const sandbox& s) { return s.now == state::idle && s.home->of == g.of && s.home != &g; });
  if (old == sandboxes_.end())
    return blocked(g, throttle::function_concurrency);
  return stop_one(static_cast<sandbox_slot>(old - sandboxes_.begin()), now);
}

std::optional<sandbox_pool::action> sandbox_pool::blocked(group& g, throttle why) noexcept {
  g.blocked_by = why;
  return std::nullopt;
}

std::optional<sandbox_pool::action> sandbox_pool::give_to(group& g, time_point now) {
  // The lowest one that does not stand still, or else the lowest one.
  const auto moving = std::find_if(g.idle.rbegin(), g.idle.rend(),
                                   [&](sandbox_slot each) { return sandboxes_[each].memory == g.memory_bytes; });
  const auto slot = moving != g.idle.rend() ? *moving : g.idle.back();
  auto& s = sandboxes_[slot];
  if (s.memory < g.memory_bytes) { // it stood still, and may now take all that it may have
    const auto room = room_for(g, wanted_for::idle_sandbox, g.memory_bytes - s.memory, slot, now);
    if (!room.enough)
      return room.first;
    count_as(s, g.memory_bytes);
  }
  const auto call = drop_front(g);
  leave_idle(slot);
  enter(slot, state::busy, now);
  ++s.uses;
  ++g.of->running;
  ++g.owner->running;
  begin_count(slot, now);
  charge(s, g.typical_run.value_or(unknown_run));
  return give{slot, call};
}

bool sandbox_pool::wants_start(const group& g, time_point now) const noexcept {
  if (g.live == 0)
    return true;
  if (!g.typical_run && g.starting >= 2 * settings_.width)
    return false;
  if (!is_short(g) && !burns(g))
    return true;
  return g.starting == 0 && g.live - g.overlong < (is_short(g) ? settings_.width : settings_.cores)
      && now - g.waiting.front().since >= settings_.start_after;
}

/// Who has been starting for long leaves its place to other functions, and to its own unless that is known to load
/// faster: then it is slow for want of a core, and one more beside it makes both slower.
bool sandbox_pool::may_launch(const group& g, time_point now) const noexcept {
  if (starting_.size() < settings_.launches_max)
    return true;
  if (starting_.size() >= settings_.loads_max)
    return false;
  const bool loads_long = !g.shortest_load || *g.shortest_load >= settings_.launch_time;
  uint32_t in_places = 0;
  uint32_t of_its_own = 0;
  for (const auto slot : starting_) {
    const auto& s = sandboxes_[slot];
    const bool young = now - s.since < settings_.launch_time;
    in_places += young;
    of_its_own += s.home == &g && (young || s.copied || !loads_long);
  }
  return std::max(in_places, of_its_own) < settings_.launches_max;
}

std::optional<sandbox_pool::action> sandbox_pool::start_for(group& g, time_point now) {
  if (!may_launch(g, now) || waits_for_template(g))
    return std::nullopt;
  if (wants_template(g))
    return start_template(g, now);
  const auto room = room_for(g, wanted_for::new_sandbox, g.memory_bytes, no_slot, now);
  if (!room.enough)
    return room.first;
  const auto slot = vacant_slot();
  auto& s = sandboxes_[slot];
  s.home = &g;
  ++g.starting;
  ++g.owner->starting;
  ++g.live;
  ++g.of->live;
  count_as(s, g.memory_bytes);
  enter(slot, state::starting, now);
  charge(s, g.init);
  start result{.slot = slot, .revision = g.revision};
  if (has_template(g)) {
    s.copied = true;
    result.copy_of = g.parent;
    ++sandboxes_[*g.parent].uses;
    sandboxes_[*g.parent].since = now;
  }
  return result;
}

sandbox_pool::action sandbox_pool::stop_one(sandbox_slot slot, time_point now) {
  auto& s = sandboxes_[slot];
  if (is_template(slot)) {
    s.home->parent.reset();
  } else {
    leave_idle(slot);
    --s.home->of->live;
  }
  s.home->owner->stopping += s.memory;
  enter(slot, state::stopping, now);
  return stop{slot};
}

// -- states ----------------------------------------------------------------------------------------------------------

void sandbox_pool::enter(sandbox_slot slot, state to, time_point now) {
  auto& s = sandboxes_[slot];
  --counts_[static_cast<size_t>(s.now)];
  ++counts_[static_cast<size_t>(to)];
  memory_in_[static_cast<size_t>(s.now)] -= s.memory;
  memory_in_[static_cast<size_t>(to)] += s.memory;
  if (s.now == state::starting)
    std::erase(starting_, slot);
  if (to == state::starting)
    starting_.push_back(slot);
  s.now = to;
  s.since = now;
  s.to_stop = false;
  if (to == state::idle) {
    auto& idle = s.home->idle;
    idle.insert(std::upper_bound(idle.begin(), idle.end(), slot, std::greater<>{}), slot);
  }
  if (to == state::idle || to == state::as_template)
    appraise(s);
}

void sandbox_pool::leave_idle(sandbox_slot slot) {
  auto& idle = sandboxes_[slot].home->idle;
  if (idle.back() == slot)
    idle.pop_back();
  else
    std::erase(idle, slot);
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
