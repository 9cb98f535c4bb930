#include "http/operations.hpp"

#include "config/limits.hpp"
#include "http/cluster_ledgers.hpp"
#include "http/prometheus.hpp"
#include "http/start_up.hpp"

namespace troupe::http {

namespace {

void fail(exchange& x, const caf::error& error) {
  set_error(x.out, dialect::plain, error);
}

} // namespace

task<void> preflight(node_context&, exchange& x) {
  x.out.status = 204;
  x.out.content_type = {};
  x.out.add_field("Access-Control-Max-Age", "86400");
  co_return;
}

task<void> index(node_context&, exchange& x) {
  x.out.body = R"({"program":"troupe","run":"/run/{name}","functions":"/2015-03-31/functions","health":"/healthz",)"
               R"("readiness":"/readyz","metrics":"/metrics","usage":"/v1/usage","invocations":"/v1/invocations"})";
  co_return;
}

task<void> health(node_context&, exchange& x) {
  x.out.body = R"({"status":"ok"})";
  co_return;
}

task<void> readiness(node_context& node, exchange& x) {
  const auto worker = co_await ask_worker(node);
  if (!worker)
    fail(x, worker.error());
  else if (node.leaving)
    fail(x, make_error(errc::unavailable, "the node is about to stop"));
  else if (!node.knows_functions)
    fail(x, make_error(errc::unavailable, "the node has not heard of the cluster's functions yet"));
  else if (!worker->ready)
    fail(x, make_error(errc::unavailable, "the node is not ready for invocations"));
  else
    x.out.body = R"({"status":"ready"})";
}

task<void> metrics(node_context& node, exchange& x) {
  const auto functions = co_await ask_ledger<std::vector<function_metrics>>(node, ledger_here(node), atom::metrics{});
  if (!functions)
    co_return fail(x, functions.error());
  const auto worker = co_await ask_worker(node);
  if (!worker)
    co_return fail(x, worker.error());
  x.out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  x.out.body = metrics_document(node, *worker, *functions);
}

} // namespace troupe::http
