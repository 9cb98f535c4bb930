#include "actors/balancer.hpp"

#include "actors/routing.hpp"
#include "config/errc.hpp"

namespace troupe {

namespace {

using routing::self_pointer;

const std::string& key_of(balancer_state& st, std::string_view tenant, std::string_view name) {
  st.key.assign(tenant);
  st.key.push_back('\0');
  st.key.append(name);
  return st.key;
}

bool keeps_rate(self_pointer self, const std::string& tenant) {
  auto& rates = self->state.rates;
  if (rates.empty())
    return true;
  const auto found = rates.find(tenant);
  return found == rates.end() || found->second.take(self->clock().now());
}

caf::result<outcome> invoke(self_pointer self, invocation& call) {
  auto& st = self->state;
  const bool in_rate = keeps_rate(self, call.tenant);
  const auto found = st.functions.find(key_of(st, call.tenant, call.name));
  if (found != st.functions.end())
    call.function = found->second.function;
  if (!in_rate) {
    // Without a function there is nothing that a record could be about. Where a worker is, it keeps the books.
    if (call.function && st.worker)
      return self->delegate(st.worker, atom::refuse::value, std::move(call), throttle::tenant_rate);
    if (call.function)
      self->send(st.ledger, atom::append::value, std::vector{st.books.throttled(call)});
    return make_throttled(throttle::tenant_rate);
  }
  if (!call.function)
    return make_error(errc::function_not_found, "Function not found: " + call.name);
  if (st.clustered)
    return routing::dispatch(self, call);
  if (!st.worker)
    return make_error(errc::unavailable, "no worker has joined yet");
  return self->delegate(st.worker, atom::invoke::value, std::move(call));
}

/// The store has told of all functions.
void drop_untold(balancer_state& st) {
  std::erase_if(st.functions, [&st](const auto& known) {
    const bool gone = known.second.round != st.round;
    if (gone)
      st.table.forget(known.second.function->revision);
    return gone;
  });
}

} // namespace

balancer_inner::behavior_type balancer(self_pointer self, balancer_settings settings) {
  auto& state = self->state;
  state.worker = std::move(settings.worker);
  state.ledger = std::move(settings.ledger);
  state.books = std::move(settings.books);
  state.choose = policy{settings.policy};
  state.random = random_source{static_cast<uint64_t>(self->clock().now().time_since_epoch().count())};
  for (const auto& [tenant, may] : settings.tenants)
    if (may.requests_per_second > 0)
      state.rates.emplace(tenant, token_bucket{may.requests_per_second, self->clock().now()});
  return {
    [self](atom::invoke, invocation& call) { return invoke(self, call); },
    [self](atom::update, function_ptr& function) {
      auto& st = self->state;
      const auto& key = key_of(st, function->config.tenant, function->config.name);
      auto& known = st.functions[key];
      if (known.function && known.function->revision != function->revision)
        st.table.forget(known.function->revision); // its sandboxes end everywhere
      known = {std::move(function), st.round};
    },
    [self](atom::remove, const std::string& tenant, const std::string& name) {
      auto& st = self->state;
      const auto found = st.functions.find(key_of(st, tenant, name));
      if (found == st.functions.end())
        return;
      st.table.forget(found->second.function->revision);
      st.functions.erase(found);
    },
    [self](atom::all, bool begins) { begins ? void(++self->state.round) : drop_untold(self->state); },
    [self](atom::members, const std::vector<member>& all) { routing::learn(self, all); },
    [self](atom::announce, const member& who) { routing::hear_load(self, who); },
    [self](atom::tick) { routing::tick(self); },
    [self](atom::queued, uint64_t ticket) { routing::mark(self, ticket, false); },
    [self](atom::begun, uint64_t ticket) { routing::mark(self, ticket, true); },
    [self](atom::remaining, const uuid& revision, uint32_t left) { routing::count_remaining(self, revision, left); },
    [self](atom::alive, uint64_t number) { routing::say_alive(self, number); },
  };
}

} // namespace troupe
