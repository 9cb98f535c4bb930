#pragma once

#include <caf/expected.hpp>

#include <filesystem>
#include <memory>

namespace rocksdb {
class DB;
class ColumnFamilyHandle;
} // namespace rocksdb

namespace troupe::storage {

/// The column families, in the order in which they were added; never renumbered.
enum class family : uint8_t { meta, functions, bundles, invocations, usage };

/// The node's one RocksDB: opened once, shared by the stores below it.
/// Thread safety: RocksDB's own, every method may be called from every thread.
class database {
public:
  enum class access : uint8_t {
    owner,     ///< creates what is missing, takes RocksDB's lock
    secondary, ///< reads while another process may own it; `catch_up` follows the owner
  };

  /// Opens the database in `directory`. Fails with already_running (the lock is held), storage_damaged (damaged, or
  /// its schema is newer than this program), or io_error. A secondary needs an existing database and keeps its own
  /// small state in a temporary directory, which goes with it.
  static caf::expected<std::shared_ptr<database>> open(const std::filesystem::path& directory, access how);

  ~database();
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  /// Secondary: sees what the owner has written until now; when it fails, it sees what it saw before. No other thread
  /// may be reading meanwhile. Owner: does nothing.
  caf::error catch_up();

  /// Makes everything written until now survive a power cut. Fails with io_error once a write has failed.
  caf::error sync();

  access mode() const noexcept;

  /// After a write has failed, for the rest of this object's life. RocksDB neither writes nor syncs a log in which a
  /// write has failed, and Debian's build (7.8) ends the process when it is asked to sync one.
  void stop_writing() noexcept;
  bool writing_stopped() const noexcept;

  // For the stores of this folder only.
  rocksdb::DB& db() noexcept;
  rocksdb::ColumnFamilyHandle* at(family which) noexcept;

private:
  struct state;
  explicit database(std::unique_ptr<state> opened);
  std::unique_ptr<state> state_;
};

} // namespace troupe::storage
