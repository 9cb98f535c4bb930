#include "handlers/bundle/bundle_writer.hpp"

#include "config/errc.hpp"
#include "config/ids.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace troupe::handlers {

namespace {

namespace fs = std::filesystem;

/// Up to so many nodes each is synced by itself. For more, one sync of the file system is quicker than a commit of
/// its journal for each file, though it waits for what others have written, too.
constexpr size_t few_nodes = 64;

constexpr mode_t directory_mode = 0755;
constexpr mode_t private_mode = 0700;

/// The one place where errno becomes an error. The step names no path of the node.
caf::error failed(const char* step) {
  return make_error(errc::io_error, std::string{step} + ": " + std::generic_category().message(errno));
}

unique_fd open_directory(int at, const char* path) {
  return unique_fd{::openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

} // namespace

bundle_writer::bundle_writer(const bundle_tree& tree, fs::path directory)
  : tree_{tree},
    directory_{std::move(directory)},
    unfinished_{std::string{unfinished_prefix} + uuid::make().to_string()},
    few_files_{tree.nodes.size() <= few_nodes} {}

bundle_writer::~bundle_writer() {
  std::error_code ignored; // What cannot be removed goes with the next start of the node.
  if (made_)
    fs::remove_all(directory_.parent_path() / unfinished_, ignored);
}

caf::error bundle_writer::open() {
  const auto parent = directory_.has_parent_path() ? directory_.parent_path() : fs::path{"."};
  parent_.reset(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent_)
    return failed("opening the directory of bundles");
  struct stat existing {};
  if (::fstatat(parent_.get(), directory_.filename().c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0)
    return make_error(errc::io_error, "unpacking an archive: its place is taken");
  if (::mkdirat(parent_.get(), unfinished_.c_str(), private_mode) != 0)
    return failed("making a directory for an archive");
  made_ = true;
  root_ = open_directory(parent_.get(), unfinished_.c_str());
  if (!root_)
    return failed("opening a directory for an archive");
  return make_directories();
}

caf::error bundle_writer::make_directories() {
  for (const auto& [path, node] : tree_.nodes) {
    if (node.kind != entry_kind::directory)
      continue;
    if (::mkdirat(root_.get(), path.c_str(), directory_mode) != 0
        || ::fchmodat(root_.get(), path.c_str(), directory_mode, 0) != 0) // The umask may have taken bits away.
      return failed("making a directory of an archive");
  }
  return caf::none;
}

caf::error bundle_writer::begin(size_t entry, std::time_t modified) {
  const auto& path = tree_.paths[entry];
  file_executable_ = tree_.nodes.find(path)->second.executable;
  file_modified_ = modified;
  file_.reset(::openat(root_.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  return file_ ? caf::error{} : failed("making a file of an archive");
}

caf::error bundle_writer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written >= 0)
      bytes.remove_prefix(static_cast<size_t>(written));
    else if (errno != EINTR)
      return failed("writing a file of an archive");
  }
  return caf::none;
}

caf::error bundle_writer::end() {
  const timespec times[2] = {{file_modified_, 0}, {file_modified_, 0}};
  if (::fchmod(file_.get(), file_executable_ ? 0755 : 0644) != 0 || ::futimens(file_.get(), times) != 0)
    return failed("setting mode and time of a file");
  if (few_files_ && ::fsync(file_.get()) != 0)
    return failed("syncing a file of an archive");
  file_.reset();
  return caf::none;
}

caf::error bundle_writer::make_links() {
  for (const auto& [path, node] : tree_.nodes)
    if (node.kind == entry_kind::link && ::symlinkat(std::string{node.target}.c_str(), root_.get(), path.c_str()) != 0)
      return failed("making a link of an archive");
  return caf::none;
}

caf::error bundle_writer::sync_all() {
  if (::fchmod(root_.get(), directory_mode) != 0)
    return failed("setting the mode of a bundle");
  if (!few_files_)
    return ::syncfs(root_.get()) == 0 ? caf::error{} : failed("syncing a bundle");
  for (const auto& [path, node] : tree_.nodes) {
    if (node.kind != entry_kind::directory)
      continue;
    const auto each = open_directory(root_.get(), path.c_str());
    if (!each || ::fsync(each.get()) != 0)
      return failed("syncing a directory of an archive");
  }
  return ::fsync(root_.get()) == 0 ? caf::error{} : failed("syncing a bundle");
}

caf::error bundle_writer::commit() {
  if (auto err = make_links())
    return err;
  if (auto err = sync_all())
    return err;
  const auto name = directory_.filename();
  if (::renameat(parent_.get(), unfinished_.c_str(), parent_.get(), name.c_str()) != 0)
    return failed("naming a bundle");
  unfinished_ = name; // From here on that is what has to go if the rest fails.
  if (::fsync(parent_.get()) != 0)
    return failed("syncing the directory of bundles");
  made_ = false;
  return caf::none;
}

} // namespace troupe::handlers
