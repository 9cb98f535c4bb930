#pragma once

#include "storage/database.hpp"

#include <caf/error.hpp>

#include <rocksdb/write_batch.h>

#include <string_view>

namespace troupe::storage {

/// What a write survives once it has returned.
enum class survives : uint8_t {
  kill,      ///< the end of the process: it is with the operating system
  power_cut, ///< it is synced
};

/// Writes `batch` wholly or not at all. After a failure, such as a full disk, every further write fails, until the
/// database is opened again: what is at the end of its log is then unknown. Reading goes on.
caf::error commit(database& db, rocksdb::WriteBatch& batch, survives what, std::string_view step);

} // namespace troupe::storage
