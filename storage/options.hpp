#pragma once

#include "storage/database.hpp"

#include <rocksdb/db.h>

#include <string>
#include <vector>

/// How RocksDB is set up: modest memory, small logs, nothing on stderr. Each choice stands in options.cpp with its
/// reason.
namespace troupe::storage {

/// The families' names in the database, in the order of `family`; RocksDB's own "default" comes before them.
std::vector<std::string> family_names();

rocksdb::DBOptions owner_options();
rocksdb::DBOptions secondary_options();

/// For a look that leaves no trace, not even a log.
rocksdb::DBOptions inspection_options();

/// Options of all families, "default" first.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors();

} // namespace troupe::storage
