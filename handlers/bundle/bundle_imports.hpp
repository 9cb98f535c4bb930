#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

namespace troupe::handlers {

/// What a handler asks for beyond its bundle, as its source says it.
struct bundle_imports {
  /// Of the packages in question, those that its module imports when it is loaded, or a module of the bundle that it
  /// imports so.
  std::set<std::string> wanted;
  /// The modules and directories in the bundle, at whatever depth, by their last names: a handler may put any directory
  /// on its path, so none of these is wanted. Not looked for when nothing is wanted.
  std::set<std::string> carried;
};

/// Reads the unpacked bundle in `directory`, whose text is a stranger's: nothing is run, and no more is read than
/// limits::import_files_max and limits::import_bytes_max say. `packages` are those in question, dotted names such as
/// PIL.Image. A bundle with more modules than limits::carried_names_max, or one that cannot be read, wants nothing.
bundle_imports find_imports(const std::filesystem::path& directory, std::string_view handler,
                            const std::set<std::string>& packages);

} // namespace troupe::handlers
