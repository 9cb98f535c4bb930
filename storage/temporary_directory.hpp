#pragma once

#include <caf/expected.hpp>

#include <filesystem>

namespace troupe::storage {

/// A directory that only this user may enter, gone with the object. Under $TMPDIR, or /tmp.
class temporary_directory {
public:
  temporary_directory() = default;
  temporary_directory(temporary_directory&& other) noexcept;
  temporary_directory& operator=(temporary_directory&& other) noexcept;
  ~temporary_directory();

  /// Fails with io_error.
  static caf::expected<temporary_directory> make();

  const std::filesystem::path& path() const noexcept { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace troupe::storage
