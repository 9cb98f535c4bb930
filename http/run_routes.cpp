#include "http/run_routes.hpp"

#include "config/limits.hpp"
#include "http/start_up.hpp"

#include <chrono>

namespace troupe::http {

namespace {

int status_of(invocation_status status) noexcept {
  switch (status) {
    case invocation_status::ok: return 200;
    case invocation_status::timeout: return 504;
    case invocation_status::throttled: return 429;
    case invocation_status::error:
    case invocation_status::crash:
    case invocation_status::out_of_memory: return 500;
  }
  return 500;
}

task<caf::expected<outcome>> ask_balancer(node_context& node, invocation call) {
  return node.actors.ask<outcome>(node.actors.actors().balancer, limits::invoke_time_max, atom::invoke{},
                                  std::move(call));
}

/// Before the node knows the cluster's functions it cannot say that there is none of that name.
task<caf::expected<outcome>> invoke_early(node_context& node, invocation call) {
  co_await await_start(node);
  auto result = co_await ask_balancer(node, std::move(call));
  if (!result && code_of(result.error()) == errc::function_not_found && !node.knows_functions)
    co_return make_error(errc::unavailable, "this node has not heard of the cluster's functions yet: try again later");
  co_return result;
}

} // namespace

invocation make_invocation(exchange& x, std::string name, trigger_kind trigger) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  invocation call;
  call.id = uuid::make();
  call.tenant = x.tenant;
  call.name = std::move(name);
  call.trigger = trigger;
  call.repeatable = x.in.has_idempotency_key;
  call.payload = std::move(x.in.body);
  if (call.payload.empty())
    call.payload = "{}";
  call.payload_bytes = call.payload.size();
  call.received_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  return call;
}

task<caf::expected<outcome>> invoke(node_context& node, invocation call) {
  if (node.starting || !node.knows_functions)
    return invoke_early(node, std::move(call));
  return ask_balancer(node, std::move(call));
}

task<void> run_function(node_context& node, exchange& x) {
  auto call = make_invocation(x, x.where.name, trigger_kind::http);
  const auto id = call.id.to_string();
  auto result = co_await invoke(node, std::move(call));
  if (!result)
    set_error(x.out, dialect::plain, result.error());
  x.out.add_field("X-Amzn-RequestId", id);
  if (!result)
    co_return;
  x.out.status = status_of(result->status);
  x.out.body = std::move(result->payload);
}

} // namespace troupe::http
