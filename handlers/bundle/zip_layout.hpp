#pragma once

#include <caf/expected.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

/// How a zip archive is laid out, read strictly. A zip says everything twice, in its central directory and before each
/// entry's data, and programs differ in which they believe. What is accepted here has one reading only: entries lie
/// one behind another from the first byte on, up to the directory, which ends where the archive ends; both places say
/// the same. The data themselves are left to libarchive.
/// The format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
namespace troupe::handlers {

enum class entry_kind : uint8_t { file, directory, link };

/// One entry, as both of its headers say. The views point into the archive.
struct zip_entry {
  std::string_view name;       ///< as it is: not checked, and maybe with a slash at its end
  std::string_view data;       ///< as stored, compressed or not
  uint64_t unpacked_bytes = 0; ///< as declared
  uint32_t offset = 0;         ///< of its header
  entry_kind kind = entry_kind::file;
  bool executable = false;
  bool compressed = false;
};

/// The entries in the order in which they lie in the archive, which is libarchive's too. Fails with
/// invalid_argument: not a zip, damaged, encrypted, in several parts, in zip64 form, with devices, another method than
/// store and deflate, more than limits::archive_entries_max.
caf::expected<std::vector<zip_entry>> read_layout(std::string_view zip);

} // namespace troupe::handlers
