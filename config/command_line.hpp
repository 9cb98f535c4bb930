#pragma once

#include "config/resolve.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace troupe::config {

/// Adds `--config FILE` and `--section.key VALUE` for every option to a command, with help made from the
/// declarations. Must live, where it is, until the command line has been parsed and `sources` was called.
class command_line {
public:
  explicit command_line(CLI::App& command);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;

  /// What the user gave, and the environment of this process.
  config::sources sources() const;

private:
  CLI::Option* file_;
  std::vector<CLI::Option*> values_; ///< by the index in options()
};

} // namespace troupe::config
