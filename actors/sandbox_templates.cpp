// When a revision gets a template, and when that goes again.
#include "actors/sandbox_pool.hpp"

namespace troupe {

namespace {

/// Templates that died, after which the revision gets no more.
constexpr uint32_t failures_max = 2;

} // namespace

bool sandbox_pool::is_template(sandbox_slot slot) const noexcept {
  return sandboxes_[slot].for_copies;
}

bool sandbox_pool::has_template(const group& g) const noexcept {
  return g.parent && sandboxes_[*g.parent].now == state::as_template;
}

/// As long as there is a sandbox to go on with.
bool sandbox_pool::waits_for_template(const group& g) const noexcept {
  return g.parent && !has_template(g) && g.live > 0;
}

/// Only where there is room for it and for what it is made for.
bool sandbox_pool::wants_template(const group& g) const noexcept {
  if (g.parent || settings_.template_after == duration::zero() || g.template_failures >= failures_max || g.retired
      || draining_ || !g.shortest_load || *g.shortest_load < settings_.template_after)
    return false;
  const uint64_t both = 2 * g.memory_bytes;
  const auto& limit = g.owner->limits.memory_bytes;
  const uint64_t budget = settings_.memory_bytes - (blanks_wanted_ ? settings_.blank_bytes : 0);
  return memory_used_ + kept_for_others(g.of).second + both <= budget
      && (limit == 0 || g.owner->memory + both <= limit);
}

sandbox_pool::action sandbox_pool::start_template(group& g, time_point now) {
  const auto slot = vacant_slot();
  auto& s = sandboxes_[slot];
  s.home = &g;
  s.for_copies = true;
  g.parent = slot;
  ++g.templates;
  count_as(s, g.memory_bytes);
  enter(slot, state::starting, now);
  charge(s, *g.shortest_load);
  return start{.slot = slot, .revision = g.revision, .role = handlers::sandbox_role::its_template, .copy_of = {}};
}

void sandbox_pool::template_ready(sandbox_slot slot, time_point now) {
  auto& s = sandboxes_[slot];
  settle_charge(s, now - s.since);
  enter(slot, state::as_template, now);
  make_runnable(*s.home);
  wake_blocked();
}

/// One that never was ready cannot be had of this revision. One that died may have been killed for its memory.
void sandbox_pool::template_gone(sandbox_slot slot) {
  auto& s = sandboxes_[slot];
  auto& g = *s.home;
  if (s.now == state::starting) {
    settle_charge(s, duration::zero());
    g.template_failures = failures_max;
  }
  if (s.now == state::as_template)
    ++g.template_failures;
  if (s.now == state::stopping)
    g.owner->stopping -= s.memory;
  if (g.parent == slot)
    g.parent.reset();
  --g.templates;
  count_as(s, 0);
  enter(slot, state::vacant, s.since);
  s = sandbox{};
  make_runnable(g);
  wake_blocked();
}

/// Of a revision that nobody waits for: when it has been of no use for long, or is no longer wanted at all.
std::optional<sandbox_pool::action> sandbox_pool::stop_template(group& g, time_point now) {
  if (!has_template(g) || !(g.retired || draining_ || (sandboxes_[*g.parent].to_stop && g.live == 0)))
    return std::nullopt;
  return stop_one(*g.parent, now);
}

} // namespace troupe
