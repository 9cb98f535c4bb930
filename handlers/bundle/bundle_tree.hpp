#pragma once

#include "handlers/bundle/zip_layout.hpp"

#include <caf/expected.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::handlers {

/// What an archive would become, planned before anything is written: every directory, file and link by its path
/// (without slashes at the ends). Links are known to stay inside, and nothing lies under a link or a file.
struct bundle_tree {
  struct node {
    entry_kind kind = entry_kind::directory;
    size_t entry = no_entry; ///< index into the layout; none for directories that are only implied
    bool executable = false; ///< files only
    std::string_view target; ///< of a link
  };

  static constexpr size_t no_entry = static_cast<size_t>(-1);

  /// Sorted by path, so that a directory comes before what it holds.
  std::map<std::string, node, std::less<>> nodes;

  std::vector<std::string> paths; ///< of the layout's entries; empty for the root itself
};

/// Plans `entries`, which have to outlive the tree. Fails with invalid_argument: names that must not be unpacked, two
/// entries of one name, a file or link that is also a directory, links that lead out or in a circle, no file at all,
/// more than limits::archive_entries_max nodes.
caf::expected<bundle_tree> plan_tree(const std::vector<zip_entry>& entries);

} // namespace troupe::handlers
