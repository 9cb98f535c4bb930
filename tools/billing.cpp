// `troupe billing report`, `records` and `verify`: what was used and what it costs.
#include "config/errc.hpp"
#include "tools/billing_source.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/render.hpp"
#include "tools/time_text.hpp"

#include <fmt/core.h>

#include <map>
#include <memory>
#include <set>

namespace troupe::tools {

namespace {

struct billing_arguments {
  explicit billing_arguments(CLI::App& command) : endpoint{command}, format{command} {
    command.add_option("--function", function, "Only this function.")->type_name("NAME");
    command.add_option("--since", since, "From this time on.")->type_name("TIME");
    command.add_option("--until", until, "Before this time.")->type_name("TIME");
    auto* db = command.add_option("--db", database, "Read this data directory instead of asking a node.");
    db->type_name("DIR");
    command.add_option("--config", configuration, "With --db: the node's configuration, for the currency.")
      ->type_name("FILE")
      ->needs(db);
    command.add_flag("--this-node", this_node, "Only the node that is asked, not its whole cluster.")->excludes(db);
    command.add_flag("--partial", partial, "Exit with 0 although nodes have not answered.")->excludes(db);
  }

  bool narrows() const { return !function.empty() || !since.empty() || !until.empty(); }

  endpoint_option endpoint;
  format_option format;
  std::string function;
  std::string since;
  std::string until;
  std::string database;
  std::string configuration;
  bool this_node = false;
  bool partial = false;
};

/// The nodes whose part is missing in what was printed: a line on stderr for each, and an exit code of its own.
class missing_parts {
public:
  void add(const std::vector<absent_node>& absent) {
    for (const auto& [name, reason] : absent)
      if (names_.insert(name).second)
        note(fmt::format("warning: node {} has not answered ({}): what it ran is missing here", name, reason));
  }

  int exit_code(const billing_arguments& given) const {
    return names_.empty() || given.partial ? 0 : face_of(errc::unavailable).exit_code;
  }

private:
  std::set<std::string> names_;
};

caf::expected<storage::ledger_filter> filter_of(const billing_arguments& given) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  storage::ledger_filter filter;
  filter.tenant = given.endpoint.tenant();
  filter.function = given.function;
  if (!given.since.empty()) {
    const auto since = parse_time(given.since, now);
    if (!since)
      return make_error(errc::invalid_argument, "--since: " + what_of(since.error()));
    filter.since_ms = since->time_since_epoch().count();
  }
  if (!given.until.empty()) {
    const auto until = parse_time(given.until, now);
    if (!until)
      return make_error(errc::invalid_argument, "--until: " + what_of(until.error()));
    filter.until_ms = until->time_since_epoch().count();
  }
  if (filter.since_ms >= filter.until_ms)
    return make_error(errc::invalid_argument, "--until: must be later than --since");
  return filter;
}

caf::expected<std::unique_ptr<billing_source>> source_of(const billing_arguments& given) {
  if (!given.database.empty()) {
    // Amounts are stored without their currency, which is the node's configuration.
    config::sources from{.file = {}, .environment = config::troupe_environment(), .command_line = {}};
    if (!given.configuration.empty())
      from.file = given.configuration;
    const auto options = config::resolve(from);
    return options ? database_source(given.database, options->values.billing.currency) : options.error();
  }
  auto client = given.endpoint.client();
  if (!client)
    return client.error();
  return node_source(std::move(*client), given.this_node ? billing_scope::node : billing_scope::cluster);
}

int report(billing_source& source, const storage::ledger_filter& filter, const billing_arguments& given) {
  const auto usage = source.usage(filter);
  if (!usage)
    return fail(usage.error());
  missing_parts missing;
  missing.add(usage->absent);
  std::map<std::string, storage::usage_totals> by_function;
  storage::usage_totals total;
  for (const auto& row : usage->rows) {
    by_function[row.function].add(row.totals);
    total.add(row.totals);
  }
  if (given.format.value() == output_format::json) {
    json_list list;
    for (const auto& [function, totals] : by_function)
      list.add(json_of(function, totals, usage->currency));
    list.end();
  } else {
    auto rows = report_table(usage->currency);
    for (const auto& [function, totals] : by_function)
      add_row(rows, function, totals);
    add_row(rows, "total", total);
    rows.print();
  }
  return missing.exit_code(given);
}

/// Prints page by page, so that a ledger of any length can be read.
int records(billing_source& source, storage::ledger_filter filter, const billing_arguments& given) {
  const auto format = given.format.value();
  json_list list;
  missing_parts missing;
  for (bool is_first = true;; is_first = false) {
    const auto page = source.records(filter);
    if (!page)
      return fail(page.error());
    missing.add(page->absent);
    auto rows = records_table();
    for (const auto& record : page->records) {
      if (format == output_format::json)
        list.add(json_of(record));
      else
        add_row(rows, record);
    }
    if (format == output_format::table && (is_first || !page->records.empty()))
      rows.print();
    if (!page->next)
      break;
    if (page->records.empty() || *page->next <= filter.after)
      return fail(make_error(errc::unavailable, "the node's pages of records do not go on"));
    filter.after = *page->next;
  }
  if (format == output_format::json)
    list.end();
  return missing.exit_code(given);
}

int verify(billing_source& source, const billing_arguments& given) {
  const auto answer = source.verify();
  if (!answer)
    return fail(answer.error());
  missing_parts missing;
  missing.add(answer->absent);
  const auto& report = answer->report;
  if (given.format.value() == output_format::json) {
    const boost::json::array faults(report.faults.begin(), report.faults.end());
    fmt::print("{}\n", boost::json::serialize(
                         boost::json::object{{"records", report.records}, {"rows", report.rows}, {"faults", faults}}));
  } else {
    fmt::print("{} records, {} sums, {} faults\n", report.records, report.rows, report.faults.size());
  }
  if (report.faults.empty())
    return missing.exit_code(given);
  for (const auto& fault : report.faults)
    note(fault);
  return face_of(errc::storage_damaged).exit_code;
}

enum class view { report, records, verify };

int run(const billing_arguments& given, view what) {
  const auto filter = filter_of(given);
  if (!filter)
    return fail(filter.error());
  const auto source = source_of(given);
  if (!source)
    return fail(source.error());
  switch (what) {
    case view::report: return report(**source, *filter, given);
    case view::records: return records(**source, *filter, given);
    case view::verify:
      if (given.narrows())
        note("verify reads whole ledgers: --function, --since and --until narrow nothing");
      return verify(**source, given);
  }
  return 0;
}

void add_view(CLI::App& billing, action& chosen, view what, const std::string& name, const std::string& help,
              const std::string& footer) {
  auto* command = billing.add_subcommand(name, help);
  command->footer(footer);
  auto given = std::make_shared<billing_arguments>(*command);
  command->callback([given, what, &chosen] { chosen = [given, what] { return run(*given, what); }; });
}

} // namespace

void add_billing(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("billing", "What was used, and what it costs.");
  command->require_subcommand(1);
  const std::string nodes = "The nodes of the cluster are read through the one that is asked. For each that has not\n"
                            "answered there is a line on stderr, and the exit code is 5, with --partial 0.\n\n";
  const std::string times = "TIME is RFC 3339 (2026-11-23T10:00:00Z), a day (2026-11-23), or how long ago (1h, 2d).\n"
                            "--db works while the node runs, and after it stopped.\n"
                          + nodes;
  add_view(*command, chosen, view::report, "report", "Sums and cost by function.",
           times
             + "Examples:\n"
               "  troupe billing report --since 1d\n"
               "  troupe billing report --since 2026-11-01 --until 2026-12-01 --format json\n"
               "  troupe billing report --tenant acme\n"
               "  troupe billing report --this-node\n"
               "  troupe billing report --db /var/lib/troupe");
  add_view(*command, chosen, view::records, "records", "Every invocation's record, oldest first.",
           times
             + "Examples:\n"
               "  troupe billing records --function hello --since 1h\n"
               "  troupe billing records --format json | python3 -m json.tool");
  add_view(*command, chosen, view::verify, "verify", "Make the sums anew from the records and compare.",
           "It reads whole ledgers, of all tenants. The exit code is 0 only when everything agrees, and 8 when\n"
           "something does not.\n"
             + nodes
             + "Examples:\n"
               "  troupe billing verify\n"
               "  troupe billing verify --db /var/lib/troupe");
}

} // namespace troupe::tools
