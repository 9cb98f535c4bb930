#include "http/ledger_routes.hpp"

#include "http/cluster_ledgers.hpp"
#include "http/ledger_json.hpp"
#include "http/ledger_merge.hpp"
#include "http/query.hpp"

#include <algorithm>

namespace troupe::http {

namespace {

void fail(exchange& x, const caf::error& error) {
  set_error(x.out, dialect::plain, error);
}

/// What a query string asks for.
struct question {
  ledger_filter filter;
  ledger_scope scope = ledger_scope::cluster;
};

caf::error read_scope(const query& parameters, question& into) {
  const auto* scope = parameters.find("scope");
  if (scope == nullptr || *scope == "cluster")
    return caf::none;
  if (*scope != "node")
    return make_error(errc::invalid_argument, "query parameter 'scope' must be cluster or node");
  into.scope = ledger_scope::node;
  return caf::none;
}

caf::error read_range(const query& parameters, question& into) {
  into.filter.function = parameters.text("function");
  auto since = parameters.number("since", 0, 0, INT64_MAX);
  if (!since)
    return std::move(since.error());
  auto until = parameters.number("until", INT64_MAX, 0, INT64_MAX);
  if (!until)
    return std::move(until.error());
  into.filter.since_ms = *since;
  into.filter.until_ms = *until;
  return caf::none;
}

caf::error read_page(const query& parameters, question& into) {
  auto limit = parameters.number("limit", limits::query_items_default, 1, limits::query_items_max);
  if (!limit)
    return std::move(limit.error());
  auto after = parameters.id("after");
  if (!after)
    return std::move(after.error());
  into.filter.count_max = static_cast<uint64_t>(*limit);
  into.filter.after = *after;
  return caf::none;
}

using reader = caf::error (*)(const query&, question&);

/// The question of a request that knows these parameters, each reader's share of it read in turn.
caf::expected<question> question_of(const exchange& x, std::initializer_list<std::string_view> known,
                                    std::initializer_list<reader> readers) {
  auto parameters = query::parse(x.where.query);
  if (!parameters)
    return std::move(parameters.error());
  if (auto problem = parameters->refuse_others(known))
    return problem;
  question asked;
  asked.filter.tenant = x.tenant;
  for (const auto read : readers)
    if (auto problem = read(*parameters, asked))
      return problem;
  return asked;
}

/// Those that have answered.
template <class R>
std::vector<R> values_of(std::vector<caf::expected<R>> answers) {
  std::vector<R> values;
  for (auto& answer : answers)
    if (answer)
      values.push_back(std::move(*answer));
  return values;
}

/// Goes on with a page whose first pieces are there, asking ledgers for further ones. A node that fails now has a part
/// of its records in the page only, which its share says.
task<void> fill_page(node_context& node, const std::vector<ledger_place>& places, ledger_filter filter,
                     record_merge& merged, std::vector<ledger_share>& shares) {
  while (const auto hungry = merged.proceed()) {
    filter.after = merged.last_of(*hungry);
    auto more = co_await node.actors.ask<std::vector<usage_record>>(places[*hungry].ledger, limits::report_time_max,
                                                                    atom::records{}, filter);
    if (!more) {
      shares[*hungry].problem = problem_of(more.error());
      merged.feed(*hungry, {}, true);
      continue;
    }
    const bool is_last = more->size() < filter.count_max;
    merged.feed(*hungry, std::move(*more), is_last);
  }
}

} // namespace

task<void> list_invocations(node_context& node, exchange& x) {
  auto asked =
    question_of(x, {"function", "since", "until", "limit", "after", "scope"}, {read_scope, read_range, read_page});
  if (!asked)
    co_return fail(x, asked.error());
  const auto places = co_await ledger_places(node, asked->scope);
  if (!places)
    co_return fail(x, places.error());
  auto filter = std::move(asked->filter);
  record_merge merged{places->size(), filter.count_max};
  // One more than is shown says whether there is a next page.
  filter.count_max = std::min<uint64_t>(filter.count_max + 1, limits::ledger_part_items);
  auto answers = co_await ask_ledgers<std::vector<usage_record>>(node, *places, atom::records{}, filter);
  auto shares = shares_of(*places, answers);
  if (!shares)
    co_return fail(x, shares.error());
  for (size_t i = 0; i < answers.size(); ++i) {
    auto first = answers[i] ? std::move(*answers[i]) : std::vector<usage_record>{};
    const bool is_last = first.size() < filter.count_max;
    merged.feed(i, std::move(first), is_last);
  }
  co_await fill_page(node, *places, std::move(filter), merged, *shares);
  x.out.body = records_document(merged.page(), merged.next(), *shares);
}

task<void> list_usage(node_context& node, exchange& x) {
  auto asked = question_of(x, {"function", "since", "until", "scope"}, {read_scope, read_range});
  if (!asked)
    co_return fail(x, asked.error());
  const auto places = co_await ledger_places(node, asked->scope);
  if (!places)
    co_return fail(x, places.error());
  auto answers = co_await ask_ledgers<std::vector<usage_row>>(node, *places, atom::usage{}, asked->filter);
  const auto shares = shares_of(*places, answers);
  if (!shares)
    co_return fail(x, shares.error());
  x.out.body = usage_document(node.currency, merge_usage(values_of(std::move(answers))), *shares);
}

task<void> verify_usage(node_context& node, exchange& x) {
  const auto asked = question_of(x, {"scope"}, {read_scope});
  if (!asked)
    co_return fail(x, asked.error());
  const auto places = co_await ledger_places(node, asked->scope);
  if (!places)
    co_return fail(x, places.error());
  auto answers = co_await ask_ledgers<verify_report>(node, *places, atom::verify{});
  const auto shares = shares_of(*places, answers);
  if (!shares)
    co_return fail(x, shares.error());
  std::vector<named_report> reports;
  for (size_t i = 0; i < answers.size(); ++i)
    if (answers[i])
      reports.push_back({places->size() > 1 ? (*places)[i].node : std::string{}, std::move(*answers[i])});
  x.out.body = verify_document(merge_reports(reports), *shares);
}

} // namespace troupe::http
