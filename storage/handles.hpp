#pragma once

#include "storage/database.hpp"

#include <rocksdb/db.h>

#include <memory>
#include <utility>
#include <vector>

namespace troupe::storage {

/// An open RocksDB with the handles of its families, which have to go before it.
class handles {
public:
  handles() = default;
  handles(handles&& other) noexcept : db_{std::move(other.db_)}, families_{std::exchange(other.families_, {})} {}
  handles& operator=(handles&& other) noexcept {
    std::swap(db_, other.db_);
    std::swap(families_, other.families_);
    return *this;
  }
  ~handles() {
    for (auto* family : families_)
      db_->DestroyColumnFamilyHandle(family);
  }

  /// Calls one of RocksDB's functions that open, with the places for what it makes.
  template <class Open>
  rocksdb::Status fill(Open open) {
    rocksdb::DB* db = nullptr;
    auto status = open(&families_, &db);
    db_.reset(db);
    return status;
  }

  rocksdb::DB& db() const noexcept { return *db_; }

  rocksdb::ColumnFamilyHandle* at(family which) const noexcept {
    return families_[1 + static_cast<size_t>(which)]; // RocksDB's own comes first.
  }

  /// All in the order in which they were asked for.
  const std::vector<rocksdb::ColumnFamilyHandle*>& families() const noexcept { return families_; }

private:
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

} // namespace troupe::storage
