#pragma once

#include "storage/handles.hpp"

#include <caf/expected.hpp>

#include <filesystem>

namespace troupe::storage {

/// Opens the database in `directory` for reading, as it is now, while its owner may be writing. `own_files` is an
/// empty directory for RocksDB's use. Fails with io_error (there is none), storage_damaged, or unavailable (the owner
/// changes its files more quickly than they can be read).
///
/// To follow the owner, open anew: RocksDB's own way to catch up (7.8) keeps what it has read from a log beside the
/// table that the owner made of it, and so counts merged sums twice.
caf::expected<handles> open_secondary(const std::filesystem::path& directory, const std::filesystem::path& own_files);

} // namespace troupe::storage
