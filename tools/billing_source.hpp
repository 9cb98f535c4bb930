#pragma once

#include "storage/records.hpp"
#include "tools/http_client.hpp"

#include <boost/json.hpp>
#include <caf/expected.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::tools {

struct usage_answer {
  std::string currency;
  std::vector<storage::usage_row> rows;
};

struct records_page {
  std::vector<storage::usage_record> records;
  std::optional<uuid> next; ///< what `after` is for the next page; none: this was the last
};

/// Where the billing commands read: a running node, or a database directory.
class billing_source {
public:
  virtual ~billing_source() = default;

  virtual caf::expected<usage_answer> usage(const storage::ledger_filter& filter) = 0;
  virtual caf::expected<records_page> records(const storage::ledger_filter& filter) = 0;
  virtual caf::expected<storage::verify_report> verify() = 0;
};

/// Reads over HTTP, about the tenant that the client speaks for, who has to be that of the filters. Its calls fail with
/// unavailable, and with what the node answers.
std::unique_ptr<billing_source> node_source(http_client client);

/// Reads a node's data directory, or the database inside it, whether or not the node runs; `currency` is what it
/// answers as such. Fails with io_error or storage_damaged.
caf::expected<std::unique_ptr<billing_source>> database_source(const std::filesystem::path& directory,
                                                               std::string currency);

/// Read the node's answers (GET /v1/usage, /v1/invocations, /v1/usage/verify), which do not repeat whose they are. Fail
/// with unavailable when a field is missing or is not what it should be.
caf::expected<usage_answer> read_usage(const boost::json::object& document);
caf::expected<records_page> read_records(const boost::json::object& document);
caf::expected<storage::verify_report> read_verify(const boost::json::object& document);

} // namespace troupe::tools
