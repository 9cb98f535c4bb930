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

task<caf::expected<outcome>> invoke_later(node_context& node, invocation call) {
  co_await await_start(node);
  co_return co_await invoke(node, std::move(call));
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
  if (node.starting)
    return invoke_later(node, std::move(call));
  return node.actors.ask<outcome>(node.actors.actors().balancer, limits::invoke_time_max, atom::invoke{},
                                  std::move(call));
}

task<void> run_function(node_context& node, exchange& x) {
  auto call = make_invocation(x, x.where.name, trigger_kind::http);
  x.out.add_field("X-Amzn-RequestId", call.id.to_string());
  auto result = co_await invoke(node, std::move(call));
  if (!result) {
    set_error(x.out, dialect::plain, result.error());
    co_return;
  }
  x.out.status = status_of(result->status);
  x.out.body = std::move(result->payload);
}

} // namespace troupe::http
