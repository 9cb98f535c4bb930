#include "http/operations.hpp"

#include "config/limits.hpp"
#include "http/ledger_json.hpp"
#include "http/prometheus.hpp"
#include "http/query.hpp"
#include "http/start_up.hpp"

#include <algorithm>

namespace troupe::http {

namespace {

void fail(exchange& x, const caf::error& error) {
  set_error(x.out, dialect::plain, error);
}

/// What a query string says of function and time.
caf::expected<ledger_filter> filter_of(const exchange& x, const query& parameters) {
  ledger_filter filter;
  filter.tenant = x.tenant;
  filter.function = parameters.text("function");
  auto since = parameters.number("since", 0, 0, INT64_MAX);
  if (!since)
    return std::move(since.error());
  auto until = parameters.number("until", INT64_MAX, 0, INT64_MAX);
  if (!until)
    return std::move(until.error());
  filter.since_ms = *since;
  filter.until_ms = *until;
  return filter;
}

caf::expected<ledger_filter> usage_filter(const exchange& x) {
  auto parameters = query::parse(x.where.query);
  if (!parameters)
    return std::move(parameters.error());
  if (auto problem = parameters->refuse_others({"function", "since", "until"}))
    return problem;
  return filter_of(x, *parameters);
}

caf::expected<ledger_filter> records_filter(const exchange& x) {
  auto parameters = query::parse(x.where.query);
  if (!parameters)
    return std::move(parameters.error());
  if (auto problem = parameters->refuse_others({"function", "since", "until", "limit", "after"}))
    return problem;
  auto filter = filter_of(x, *parameters);
  if (!filter)
    return filter;
  auto limit = parameters->number("limit", limits::query_items_default, 1, limits::query_items_max);
  if (!limit)
    return std::move(limit.error());
  auto after = parameters->id("after");
  if (!after)
    return std::move(after.error());
  filter->count_max = static_cast<uint64_t>(*limit);
  filter->after = *after;
  return filter;
}

/// Makes the worker hand all its records to the ledger.
task<caf::expected<caf::unit_t>> flush(node_context& node) {
  if (node.actors.actors().worker)
    co_return co_await node.actors.ask<caf::unit_t>(node.actors.actors().worker, limits::query_time_max, atom::flush{});
  co_return caf::unit;
}

/// Asks the ledger after a flush.
template <class R, class... Ts>
task<caf::expected<R>> ask_ledger(node_context& node, Ts... message) {
  auto done = co_await flush(node);
  if (!done)
    co_return std::move(done.error());
  co_return co_await node.actors.ask<R>(node.actors.actors().ledger, limits::report_time_max, std::move(message)...);
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
  const auto functions = co_await ask_ledger<std::vector<function_metrics>>(node, atom::metrics{});
  if (!functions)
    co_return fail(x, functions.error());
  const auto worker = co_await ask_worker(node);
  if (!worker)
    co_return fail(x, worker.error());
  x.out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  x.out.body = metrics_document(node, *worker, *functions);
}

task<void> list_invocations(node_context& node, exchange& x) {
  auto filter = records_filter(x);
  if (!filter)
    co_return fail(x, filter.error());
  const auto page = filter->count_max++; // One more than is shown says whether there is a next page.
  const auto records = co_await ask_ledger<std::vector<usage_record>>(node, atom::records{}, std::move(*filter));
  if (!records)
    co_return fail(x, records.error());
  x.out.body = records_document(*records, page);
}

task<void> list_usage(node_context& node, exchange& x) {
  auto filter = usage_filter(x);
  if (!filter)
    co_return fail(x, filter.error());
  const auto rows = co_await ask_ledger<std::vector<usage_row>>(node, atom::usage{}, std::move(*filter));
  if (!rows)
    co_return fail(x, rows.error());
  x.out.body = usage_document(node.currency, *rows);
}

task<void> verify_usage(node_context& node, exchange& x) {
  const auto report = co_await ask_ledger<verify_report>(node, atom::verify{});
  if (!report)
    co_return fail(x, report.error());
  x.out.body = verify_document(*report);
}

} // namespace troupe::http
