#pragma once

#include "config/options.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::config {

/// Where a value came from, from the weakest source to the strongest.
enum class source : uint8_t { standard, file, environment, command_line };

struct origin {
  source from = source::standard;
  std::string where; ///< "troupe.conf:12", "TROUPE_HTTP_PORT", "--http.port"; empty for a default
};

/// "default", "file troupe.conf:12", "environment TROUPE_HTTP_PORT", "command line --http.port".
std::string to_string(const origin& of);

/// A value that some source gives to an option, as text.
struct assignment {
  const option* target;
  std::string text;
  origin from;
};

/// The same for a tenant's table.
struct tenant_assignment {
  const tenant_option* target;
  std::string text;
  origin from;
};

/// What a configuration file says.
struct file_contents {
  std::vector<assignment> assignments;
  std::map<std::string, std::vector<tenant_assignment>> tenants; ///< by name; an empty table is there, too
};

/// Everything that may set options. Values, so that tests need neither a process environment nor a command line.
struct sources {
  std::optional<std::filesystem::path> file;
  std::map<std::string, std::string> environment;                ///< variables that begin with TROUPE_
  std::vector<std::pair<std::string, std::string>> command_line; ///< section.key and its value
};

/// The values in force, and where each came from.
struct resolved_options {
  settings values;
  std::vector<origin> origins;                               ///< by the index in options()
  std::map<std::string, std::vector<origin>> tenant_origins; ///< by tenant, then by the index in tenant_options()
};

/// Reads a configuration file. Fails with invalid_argument, or io_error when it cannot be read; the error names file,
/// line and key.
caf::expected<file_contents> read_file(const std::filesystem::path& path);

/// The variables of this process that begin with TROUPE_. Call before there are threads.
std::map<std::string, std::string> troupe_environment();

/// Puts the sources together: command line over environment over file over default. Every value is checked, the
/// overridden ones too. Fails with invalid_argument or io_error, naming the source and the key.
caf::expected<resolved_options> resolve(const sources& from);

} // namespace troupe::config
