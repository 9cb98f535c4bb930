#pragma once

#include "storage/handles.hpp"

#include <caf/error.hpp>

#include <string>
#include <vector>

/// The version of the whole database: what keys mean and which families there are. It stands in the family `meta`.
namespace troupe::storage {

inline constexpr uint32_t schema_version = 1;

/// What a database without a version means: an owner may have to complete a creation that was cut off.
enum class if_missing : uint8_t { pass, fail };

/// Fails with storage_damaged when the database has a version later than ours, or one that cannot be read.
caf::error check_schema(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta, if_missing missing);

/// Writes our version where none is, synced and into a table. The other families may hold nothing then.
caf::error settle_schema(const handles& open);

/// Fails with storage_damaged when `found` has families that this program does not know.
caf::error check_families(const std::vector<std::string>& found);

} // namespace troupe::storage
