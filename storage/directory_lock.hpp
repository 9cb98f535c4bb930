#pragma once

#include <caf/expected.hpp>

#include <filesystem>

namespace troupe::storage {

/// Holds a directory for one owner, against other processes and against a second owner in this one. RocksDB has a
/// lock of its own, but reports it as an I/O error among others; this one is asked first and says what it means.
/// Taken by flock(2): the kernel drops it when the process ends, however it ends.
class directory_lock {
public:
  directory_lock() noexcept = default;
  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&& other) noexcept;
  ~directory_lock();

  /// Fails with already_running when someone holds it, or io_error.
  static caf::expected<directory_lock> take(const std::filesystem::path& directory);

private:
  explicit directory_lock(int fd) noexcept : fd_{fd} {}
  int fd_ = -1;
};

} // namespace troupe::storage
