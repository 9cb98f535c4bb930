#pragma once

#include "handlers/wire/unique_fd.hpp"
#include "tools/certificates.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace troupe::tools {

/// A directory with certificates and keys in PEM: for each NAME the files NAME.pem and NAME.key, the latter for its
/// owner's eyes only. It is the program's alone for as long as this lives.
///
/// A file is written whole or not at all. All errors are one line that names the file.
class certificate_directory {
public:
  /// Opens it; where there is none it is made, for its owner only. Fails with already_running when another process has
  /// it.
  static caf::expected<certificate_directory> open(const std::filesystem::path& path);

  std::string certificate_path(const std::string& name) const { return (path_ / (name + ".pem")).string(); }
  std::string key_path(const std::string& name) const { return (path_ / (name + ".key")).string(); }

  /// Nothing when neither file is there. Fails with invalid_argument when only one is, or everybody may read the key.
  caf::expected<std::optional<identity>> read(const std::string& name) const;

  /// What is done about files that are there already.
  enum class present { kept, replaced };

  /// Fails with io_error when one is there that is to be kept.
  caf::error write(const std::string& name, const identity& of, present files) const;

private:
  certificate_directory(std::filesystem::path path, unique_fd directory)
    : path_{std::move(path)}, directory_{std::move(directory)} {}

  std::filesystem::path path_; ///< absolute
  unique_fd directory_;
};

} // namespace troupe::tools
