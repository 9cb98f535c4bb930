#pragma once

#include "handlers/bundle/zip_layout.hpp"

#include <caf/error.hpp>

#include <ctime>
#include <string_view>
#include <vector>

namespace troupe::handlers {

/// Takes the content of an archive's files, one after another. An error ends the reading.
class file_sink {
public:
  virtual ~file_sink() = default;

  /// `entry` is the index into the layout; `modified` is in seconds since the epoch.
  virtual caf::error begin(size_t entry, std::time_t modified) = 0;
  virtual caf::error write(std::string_view bytes) = 0;
  virtual caf::error end() = 0;
};

/// Unpacks all files of `zip`, which `layout` describes, into `sink`. Fails with invalid_argument: what is damaged, or
/// grows over limits::unpacked_bytes_max or limits::archive_ratio_max, by what comes out and not by what is declared.
caf::error read_files(std::string_view zip, const std::vector<zip_entry>& layout, file_sink& sink);

} // namespace troupe::handlers
