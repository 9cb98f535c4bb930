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

/// A node whose part is missing in an answer.
struct absent_node {
  std::string name;
  std::string reason;
};

struct usage_answer {
  std::string currency;
  std::vector<storage::usage_row> rows;
  std::vector<absent_node> absent;
};

struct records_page {
  std::vector<storage::usage_record> records;
  std::optional<uuid> next; ///< what `after` is for the next page; none: this was the last
  std::vector<absent_node> absent;
};

struct verify_answer {
  storage::verify_report report;
  std::vector<absent_node> absent;
};

/// Which nodes are read: all of the cluster, or the one that is asked.
enum class billing_scope { cluster, node };

/// Where the billing commands read: the nodes of a cluster through one of them, or a database directory.
class billing_source {
public:
  virtual ~billing_source() = default;

  virtual caf::expected<usage_answer> usage(const storage::ledger_filter& filter) = 0;
  virtual caf::expected<records_page> records(const storage::ledger_filter& filter) = 0;
  virtual caf::expected<verify_answer> verify() = 0;
};

/// Reads over HTTP, about the tenant that the client speaks for, who has to be that of the filters. Its calls fail with
/// unavailable, and with what the node answers.
std::unique_ptr<billing_source> node_source(http_client client, billing_scope scope);

/// Reads a node's data directory, or the database inside it, whether or not the node runs; `currency` is what it
/// answers as such. Fails with io_error or storage_damaged.
caf::expected<std::unique_ptr<billing_source>> database_source(const std::filesystem::path& directory,
                                                               std::string currency);

/// Read the node's answers (GET /v1/usage, /v1/invocations, /v1/usage/verify), which do not repeat whose they are. Fail
/// with unavailable when a field is missing or is not what it should be.
caf::expected<usage_answer> read_usage(const boost::json::object& document);
caf::expected<records_page> read_records(const boost::json::object& document);
caf::expected<verify_answer> read_verify(const boost::json::object& document);

} // namespace troupe::tools
