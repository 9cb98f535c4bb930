#include "tools/billing_source.hpp"

#include "config/errc.hpp"
#include "storage/database.hpp"
#include "storage/ledger_store.hpp"
#include "tools/lambda_api.hpp"

#include <fmt/core.h>

namespace troupe::tools {

namespace {

std::string query_of(const storage::ledger_filter& filter) {
  auto query = fmt::format("?since={}", filter.since_ms);
  if (filter.until_ms != INT64_MAX)
    query += fmt::format("&until={}", filter.until_ms);
  if (!filter.function.empty())
    query += fmt::format("&function={}", percent_encoded(filter.function));
  return query;
}

class over_http final : public billing_source {
public:
  over_http(http_client client, billing_scope scope) : client_{std::move(client)}, scope_{scope} {}

  caf::expected<usage_answer> usage(const storage::ledger_filter& filter) override {
    const auto document = get("/v1/usage" + query_of(filter));
    auto answer = document ? read_usage(*document) : document.error();
    if (answer)
      for (auto& row : answer->rows)
        row.tenant = filter.tenant;
    return answer;
  }

  caf::expected<records_page> records(const storage::ledger_filter& filter) override {
    auto target = fmt::format("/v1/invocations{}&limit={}", query_of(filter), filter.count_max);
    if (!filter.after.is_nil())
      target += fmt::format("&after={}", filter.after.to_string());
    const auto document = get(std::move(target));
    auto answer = document ? read_records(*document) : document.error();
    if (answer)
      for (auto& record : answer->records)
        record.tenant = filter.tenant;
    return answer;
  }

  caf::expected<verify_answer> verify() override {
    const auto document = get("/v1/usage/verify?");
    return document ? read_verify(*document) : document.error();
  }

private:
  caf::expected<boost::json::object> get(std::string target) const {
    http_call call;
    call.target = std::move(target);
    if (scope_ == billing_scope::node)
      call.target += call.target.ends_with('?') ? "scope=node" : "&scope=node";
    call.limit = limits::ledger_answer_time_max;
    return object_of(client_.send(call));
  }

  http_client client_;
  billing_scope scope_;
};

class in_database final : public billing_source {
public:
  in_database(std::shared_ptr<storage::database> db, std::string currency)
    : ledger_{std::move(db)}, currency_{std::move(currency)} {}

  caf::expected<usage_answer> usage(const storage::ledger_filter& filter) override {
    auto rows = ledger_.usage(filter);
    if (!rows)
      return rows.error();
    return usage_answer{currency_, std::move(*rows), {}};
  }

  caf::expected<records_page> records(const storage::ledger_filter& filter) override {
    auto found = ledger_.records(filter);
    if (!found)
      return found.error();
    records_page page;
    if (found->size() == filter.count_max)
      page.next = found->back().id;
    page.records = std::move(*found);
    return page;
  }

  caf::expected<verify_answer> verify() override {
    auto report = ledger_.verify();
    if (!report)
      return report.error();
    return verify_answer{std::move(*report), {}};
  }

private:
  storage::ledger_store ledger_;
  std::string currency_;
};

} // namespace

std::unique_ptr<billing_source> node_source(http_client client, billing_scope scope) {
  return std::make_unique<over_http>(std::move(client), scope);
}

caf::expected<std::unique_ptr<billing_source>> database_source(const std::filesystem::path& directory,
                                                               std::string currency) {
  std::error_code ignored; // Of a look: what cannot be seen is not there, and opening says why.
  if (!std::filesystem::is_directory(directory, ignored))
    return make_error(errc::io_error, fmt::format("{}: no such directory", directory.string()));
  const auto inner = directory / "db"; // Where a node keeps it in its data directory.
  const bool is_data_directory = std::filesystem::is_directory(inner, ignored);
  auto db = storage::database::open(is_data_directory ? inner : directory, storage::database::access::secondary);
  if (!db)
    return make_error(code_of(db.error()), fmt::format("{}: {}", directory.string(), what_of(db.error())));
  return std::unique_ptr<billing_source>{std::make_unique<in_database>(std::move(*db), std::move(currency))};
}

} // namespace troupe::tools
