#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace troupe::tools {

/// A function's code as it lies on the user's disk, packed.
struct code_source {
  std::string zip;
  std::vector<std::string> paths; ///< of its regular files, inside the archive
  std::string module_stem;        ///< of a single .py file, else empty
  std::string module_text;        ///< what that file holds

  /// The handler that it suggests by its file names and definitions. Fails with invalid_argument.
  caf::expected<std::string> handler() const;
};

/// Reads a directory (without __pycache__ and .git), a .py file or a .zip. Fails with invalid_argument or io_error:
/// something else, nothing in it, more than config/limits.hpp allows, links to directories, devices.
caf::expected<code_source> read_code(const std::filesystem::path& path);

/// The whole of a regular file, or of stdin for "-". Fails with io_error, or payload_too_large over `bytes_max`.
caf::expected<std::string> read_input(const std::filesystem::path& path, size_t bytes_max);

} // namespace troupe::tools
