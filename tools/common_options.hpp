#pragma once

#include "config/names.hpp"
#include "tools/console.hpp"
#include "tools/http_client.hpp"

#include <CLI/CLI.hpp>
#include <caf/expected.hpp>

#include <string>

/// Options that several commands have. Each adds itself to a command and has to live, where it is, until the command
/// line has been parsed.
namespace troupe::tools {

/// `--endpoint URL` and `--tenant NAME`, and TROUPE_ENDPOINT and TROUPE_TENANT: which node to talk to, and for whom.
class endpoint_option {
public:
  explicit endpoint_option(CLI::App& command);
  endpoint_option(const endpoint_option&) = delete;
  endpoint_option& operator=(const endpoint_option&) = delete;

  /// Fails with invalid_argument.
  caf::expected<http_client> client() const;

  const std::string& tenant() const noexcept { return tenant_; }

private:
  std::string url_ = "http://127.0.0.1:8080";
  std::string tenant_{default_tenant};
};

/// `--format table|json`.
class format_option {
public:
  explicit format_option(CLI::App& command);
  format_option(const format_option&) = delete;
  format_option& operator=(const format_option&) = delete;

  output_format value() const { return text_ == "json" ? output_format::json : output_format::table; }

private:
  std::string text_ = "table";
};

} // namespace troupe::tools
