#pragma once

#include "storage/database.hpp"

#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <string_view>

namespace troupe::storage {

/// One moment of the database: every iterator made from it shows the same state. An owner's is a snapshot; a
/// secondary stands still by itself until it catches up. Thread safety: one thread at a time.
class read_view {
public:
  explicit read_view(database& db) : db_{db} {
    if (db.mode() == database::access::owner)
      snapshot_ = db.db().GetSnapshot();
  }
  ~read_view() {
    if (snapshot_)
      db_.db().ReleaseSnapshot(snapshot_);
  }
  read_view(const read_view&) = delete;
  read_view& operator=(const read_view&) = delete;

  /// Over a whole family. Long scans do not push what is hot out of the cache.
  std::unique_ptr<rocksdb::Iterator> iterate(family which) const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    options.fill_cache = false;
    return std::unique_ptr<rocksdb::Iterator>{db_.db().NewIterator(options, db_.at(which))};
  }

private:
  database& db_;
  const rocksdb::Snapshot* snapshot_ = nullptr;
};

} // namespace troupe::storage
