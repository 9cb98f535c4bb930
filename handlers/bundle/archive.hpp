#pragma once

#include "config/ids.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

/// Bundles as archives: checked and unpacked where they come in, packed by the deploy command.
/// Thread safety: all may be called from every thread, but for the io thread: they compute and write for up to seconds.
namespace troupe::handlers {

/// Unpacks a zip archive into `directory`, which must not exist; its parent has to. On any failure nothing of it is
/// left, and after a kill nothing under that name. Fails with invalid_argument and the reason: not a zip, damaged,
/// encrypted, absolute paths, `..`, backslashes, names that are not UTF-8 or too long, links that lead out, devices,
/// two entries of one name, no files, more than limits::archive_bytes_max, limits::unpacked_bytes_max,
/// limits::archive_entries_max or limits::archive_ratio_max; with io_error when it cannot be written. Files become
/// 0644 or 0755, directories 0755, owned by the caller; the times of files are kept. The content is synced to disk
/// before it returns.
caf::error unpack(std::string_view zip, const std::filesystem::path& directory);

/// Where the bundle of that digest is, or would be, unpacked below the node's directory of bundles.
std::filesystem::path unpacked_at(const std::filesystem::path& bundles, const digest& bundle);

/// Removes what `unpack` has made, if it is there; nobody sees a part of it on the way.
std::error_code remove_unpacked(const std::filesystem::path& directory);

/// One regular file inside an archive.
struct packed_file {
  std::string path; ///< relative, with forward slashes
  std::string bytes;
  bool executable = false;
};

/// Makes a zip archive; the same files give the same bytes (times are fixed, order is by path). Fails with
/// invalid_argument when `unpack` would refuse it.
caf::expected<std::string> pack(std::vector<packed_file> files);

/// The paths of the regular files in an archive, in order, for choosing a handler; same errors as unpack.
caf::expected<std::vector<std::string>> list(std::string_view zip);

} // namespace troupe::handlers
