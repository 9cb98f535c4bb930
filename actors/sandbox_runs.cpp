// What the pool knows of runs: how long they take, whether they burn CPU, and how many of which kind go on.
#include "actors/sandbox_pool.hpp"

#include <algorithm>

namespace troupe {

namespace {

using namespace std::chrono_literals;

constexpr uint8_t burning_most = 8; ///< so much that a few ends which the node saw late change nothing
constexpr uint8_t burning_from = 2; ///< one run may be an exception

/// A run of a function that burns may take that much longer than usual before it counts as one that waits.
constexpr std::chrono::nanoseconds burning_patience = 1s;
constexpr int burning_patience_runs = 4;

int64_t whole_us(std::chrono::nanoseconds time) noexcept {
  return std::max<int64_t>(std::chrono::ceil<std::chrono::microseconds>(time).count(), 1);
}

} // namespace

/// Follows the quantile at which steps up and down balance: a fifth of the runs is shorter. Others may be in the way of
/// a run and never out of it, so the short ones tell what it takes.
void sandbox_pool::group::learn(run_times run, duration patience) noexcept {
  if (!typical_run)
    typical_run = run.taken;
  else if (run.taken > *typical_run)
    *typical_run += *typical_run / 16;
  else
    *typical_run -= *typical_run / 4;
  if (run.taken < patience || run.on_core == duration::zero())
    return;
  if (run.on_core >= run.taken / 4 * 3)
    burning = std::min<uint8_t>(burning + 1, burning_most);
  else if (burning > 0)
    --burning;
}

bool sandbox_pool::burns(const group& g) const noexcept {
  return !is_short(g) && g.burning >= burning_from;
}

/// As many runs of that kind go on as make sense, and one of them is the tenant's own.
bool sandbox_pool::has_to_wait(const group& g) const noexcept {
  if (is_short(g))
    return runs_.brief >= settings_.width && g.owner->runs.brief > 0;
  return burns(g) && runs_.burning >= settings_.cores && g.owner->runs.burning > 0;
}

sandbox_pool::duration sandbox_pool::wait_max_of(const group& g) const noexcept {
  return burns(g) ? settings_.wait_for_core_max : settings_.wait_max;
}

// -- counts ----------------------------------------------------------------------------------------------------------

void sandbox_pool::begin_count(sandbox_slot slot, time_point now) {
  auto& s = sandboxes_[slot];
  const auto& g = *s.home;
  s.counted = burns(g) ? run_kind::burning : run_kind::brief;
  ++runs_.of(s.counted);
  ++g.owner->runs.of(s.counted);
  if (s.counted == run_kind::brief) {
    brief_runs_.push_back({slot, now, now + settings_.patience});
    return;
  }
  const auto due = now + burning_patience + burning_patience_runs * *g.typical_run;
  burning_runs_.push_back({slot, now, due});
  burning_due_ = std::min(burning_due_, due);
}

void sandbox_pool::end_count(sandbox& s) {
  if (s.counted == run_kind::uncounted)
    return;
  --runs_.of(s.counted);
  --s.home->owner->runs.of(s.counted);
  s.counted = run_kind::uncounted;
}

void sandbox_pool::end_run(sandbox& s) {
  if (s.now == state::busy) {
    --s.home->of->running;
    --s.home->owner->running;
  }
  end_count(s);
  if (s.overlong) {
    s.overlong = false;
    --s.home->overlong;
  }
}

/// A run that has gone on until it was due counts no more.
void sandbox_pool::outgrow(const counted_run& run) {
  auto& s = sandboxes_[run.slot];
  if (s.counted == run_kind::uncounted || s.since != run.since)
    return;
  end_count(s);
  s.overlong = true;
  ++s.home->overlong;
}

void sandbox_pool::age_runs(time_point now) {
  for (; !brief_runs_.empty() && now >= brief_runs_.front().due; brief_runs_.pop_front())
    outgrow(brief_runs_.front());
  if (now < burning_due_)
    return;
  burning_due_ = time_point::max();
  std::erase_if(burning_runs_, [&](const counted_run& run) {
    if (now >= run.due)
      outgrow(run);
    else
      burning_due_ = std::min(burning_due_, run.due);
    return now >= run.due;
  });
}

// -- charges ---------------------------------------------------------------------------------------------------------

/// Whose turn it is gets something that will take about that long.
void sandbox_pool::charge(sandbox& s, duration expected) {
  s.charged_us = whole_us(expected);
  turns_.charge(static_cast<uint64_t>(s.charged_us));
}

void sandbox_pool::settle_charge(sandbox& s, duration real) {
  turns_.correct(s.home->owner->flow, whole_us(real) - s.charged_us);
  s.charged_us = 0;
}

} // namespace troupe
