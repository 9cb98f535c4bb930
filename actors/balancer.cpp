#include "actors/balancer.hpp"

#include "config/errc.hpp"

namespace troupe {

namespace {

const std::string& key_of(balancer_state& st, std::string_view tenant, std::string_view name) {
  st.key.assign(tenant);
  st.key.push_back('\0');
  st.key.append(name);
  return st.key;
}

} // namespace

balancer_actor::behavior_type balancer(balancer_actor::stateful_pointer<balancer_state> self, worker_actor worker) {
  self->state.worker = std::move(worker);
  return {
    [self](atom::invoke, invocation& call) -> caf::result<outcome> {
      auto& st = self->state;
      const auto found = st.functions.find(key_of(st, call.tenant, call.name));
      if (found == st.functions.end())
        return make_error(errc::function_not_found, "Function not found: " + call.name);
      call.function = found->second;
      return self->delegate(st.worker, atom::invoke::value, std::move(call));
    },
    [self](atom::update, function_ptr& function) {
      auto& st = self->state;
      const auto& key = key_of(st, function->config.tenant, function->config.name);
      st.functions.insert_or_assign(key, std::move(function));
    },
    [self](atom::remove, const std::string& tenant, const std::string& name) {
      self->state.functions.erase(key_of(self->state, tenant, name));
    },
  };
}

} // namespace troupe
