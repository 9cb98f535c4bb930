#pragma once

#include "handlers/bundle/bundle_tree.hpp"
#include "handlers/bundle/zip_reader.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace troupe::handlers {

/// Names of directories that are being written begin so.
inline constexpr std::string_view unfinished_prefix = ".unpacking-";

/// Writes a planned tree beside its final place and moves it there as a whole: under the final name there is nothing
/// or everything, whenever the process or the machine stops. Without `commit`, what was written goes with the object.
///
/// Nothing is written through a link of the archive: the directory is new and only its owner may enter it, directories
/// are made first, files are made exclusively, links come last. All calls are relative to open directories.
/// Thread safety: one thread.
class bundle_writer : public file_sink {
public:
  /// `tree` has to outlive the writer.
  bundle_writer(const bundle_tree& tree, std::filesystem::path directory);
  ~bundle_writer() override;

  /// Makes the directories. Fails with io_error, also when the final name is taken. Then come the files.
  caf::error open();

  caf::error begin(size_t entry, std::time_t modified) override;
  caf::error write(std::string_view bytes) override;
  caf::error end() override;

  /// Makes the links, syncs everything and gives it its name.
  caf::error commit();

private:
  caf::error make_directories();
  caf::error make_links();
  caf::error sync_all();

  const bundle_tree& tree_;
  std::filesystem::path directory_;
  std::string unfinished_; ///< the name until it is committed
  bool few_files_ = false;
  bool made_ = false; ///< there is something to remove
  unique_fd parent_;
  unique_fd root_;
  unique_fd file_; ///< the one that is being written
  bool file_executable_ = false;
  std::time_t file_modified_ = 0;
};

} // namespace troupe::handlers
