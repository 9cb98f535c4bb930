#pragma once

#include "storage/handles.hpp"

#include <caf/error.hpp>

#include <filesystem>

/// What an owner looks at around opening a database. All fail with storage_damaged, or io_error when it cannot look.
namespace troupe::storage {

/// Whether there is a database, whole or not.
bool has_database(const std::filesystem::path& directory);

/// Before: looks for what RocksDB takes for a new database and is not. A directory without CURRENT would be written
/// over, and one without any log would lose what stood only there.
caf::error check_files(const std::filesystem::path& directory);

/// Before: the versions, without changing anything, so that what a later program wrote stays as it is.
caf::error check_versions(const std::filesystem::path& directory);

/// After: the files of the archives, which RocksDB, unlike its tables, does not look at when it opens.
caf::error check_archives(const handles& open, const std::filesystem::path& directory);

} // namespace troupe::storage
