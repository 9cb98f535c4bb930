#pragma once

#include <caf/error.hpp>

#include <rocksdb/status.h>

#include <string>
#include <string_view>

namespace troupe::storage {

/// What a failure means where it happens: a file that is missing when a database is opened is damage.
enum class phase : uint8_t { opening, running };

/// The one place where RocksDB's answers become errors; `step` says what was being done ("storing a function").
/// Corruption is storage_damaged, everything else io_error. The text keeps the names of files and drops their
/// directories. No error when `status` is ok.
caf::error to_error(const rocksdb::Status& status, std::string_view step, phase when = phase::running);

/// `text` as one line in which paths have lost their directories.
std::string without_directories(std::string_view text);

} // namespace troupe::storage
