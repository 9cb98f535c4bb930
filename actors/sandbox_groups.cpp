// Whom the pool knows, tenants, functions and revisions, and who of them is looked at next.
#include "actors/sandbox_pool.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// How many blocked groups an event looks at: enough to be fair in turn, few enough to bound an event's cost.
constexpr size_t blocked_looked_at = 16;

} // namespace

/// The newest invocation of the tenant with the longest queue for its weight; nullopt when `who` would have it.
std::optional<call_ticket> sandbox_pool::push_out_for(const tenant_state& who) {
  const tenant_state* longest = nullptr;
  const auto is_longer = [](const tenant_state& a, uint64_t waiting, const tenant_state& b) {
    return uint64_t{a.waiting} * b.limits.weight > waiting * a.limits.weight;
  };
  for (const auto& [name, t] : tenants_)
    if (!longest || is_longer(*t, longest->waiting, *longest))
      longest = t.get();
  if (!longest || longest == &who || !is_longer(*longest, uint64_t{who.waiting} + 1, who))
    return std::nullopt;
  const auto most = std::ranges::max_element(longest->groups, {}, [](const group* g) { return g->waiting.size(); });
  auto& g = **most;
  const auto call = g.waiting.back().call;
  g.waiting.pop_back();
  --waiting_;
  --g.owner->waiting;
  return call;
}

sandbox_pool::tenant_state& sandbox_pool::tenant_of(const std::string& name) {
  auto& t = tenants_[name];
  if (!t) {
    t = std::make_unique<tenant_state>();
    t->name = name;
    if (const auto known = settings_.tenants.find(name); known != settings_.tenants.end())
      t->limits = known->second;
    t->flow = turns_.add(t->limits.weight);
    if (by_flow_.size() <= t->flow)
      by_flow_.resize(t->flow + 1);
    by_flow_[t->flow] = t.get();
  }
  return *t;
}

sandbox_pool::function_state& sandbox_pool::function_of(const std::string& tenant, const std::string& name,
                                                        std::string& key) {
  key = tenant + '\0' + name;
  auto& f = functions_[key];
  if (!f)
    f = std::make_unique<function_state>();
  return *f;
}

sandbox_pool::group& sandbox_pool::group_of(const storage::function_version& function) {
  auto& g = groups_[function.revision];
  if (!g) {
    g = std::make_unique<group>();
    g->revision = function.revision;
    g->memory_bytes = memory_limit_of(function);
    g->owner = &tenant_of(function.config.tenant);
    g->owner->groups.push_back(g.get());
    g->of = &function_of(function.config.tenant, function.config.name, g->function_key);
    ++g->of->groups;
  }
  return *g;
}

void sandbox_pool::erase_if_unused(group& g) {
  if (g.live + g.templates > 0 || !g.waiting.empty() || g.where != place::nowhere)
    return;
  auto& t = *g.owner;
  std::erase(t.groups, &g);
  if (--g.of->groups == 0 && g.of->reserved == 0)
    functions_.erase(std::string{g.function_key});
  if (t.groups.empty()) {
    turns_.remove(t.flow);
    by_flow_[t.flow] = nullptr;
    tenants_.erase(std::string{t.name});
  }
  groups_.erase(uuid{g.revision});
}

call_ticket sandbox_pool::drop_front(group& g) {
  const auto call = g.waiting.front().call;
  g.waiting.pop_front();
  --waiting_;
  --g.owner->waiting;
  return call;
}

// -- who is looked at ------------------------------------------------------------------------------------------------

void sandbox_pool::make_runnable(group& g) {
  if (g.where == place::runnable)
    return;
  auto& t = *g.owner;
  if (g.where == place::blocked) {
    std::erase(t.blocked, &g);
    if (t.blocked.empty())
      std::erase(blocked_, &t);
  }
  g.where = place::runnable;
  t.runnable.push_back(&g);
  turns_.push(t.flow);
}

/// Each has a sandbox that is starting for it: what becomes of that brings the group back, and time does not.
bool sandbox_pool::waits_for_its_own(const group& g) noexcept {
  return g.idle.empty() && g.starting >= g.waiting.size();
}

void sandbox_pool::park(tenant_state& t, group& g) {
  g.where = place::blocked;
  if (t.blocked.empty())
    blocked_.push_back(&t);
  t.blocked.push_back(&g);
}

void sandbox_pool::wake_blocked() {
  const size_t tenants = std::min(blocked_looked_at, blocked_.size());
  for (size_t n = tenants; n > 0; --n) {
    auto& t = *blocked_.front();
    blocked_.pop_front();
    wake_some(t, blocked_looked_at / tenants);
    if (!t.blocked.empty())
      blocked_.push_back(&t);
  }
}

void sandbox_pool::wake_some(tenant_state& t, size_t count) {
  for (; count > 0 && !t.blocked.empty(); --count) {
    auto& g = *t.blocked.front();
    t.blocked.pop_front();
    g.where = place::runnable;
    t.runnable.push_back(&g);
  }
  turns_.push(t.flow);
}

} // namespace troupe
