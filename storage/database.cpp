#include "storage/database.hpp"

#include "storage/directory_lock.hpp"
#include "storage/handles.hpp"
#include "storage/inspection.hpp"
#include "storage/options.hpp"
#include "storage/schema.hpp"
#include "storage/secondary.hpp"
#include "storage/status.hpp"
#include "storage/temporary_directory.hpp"

#include "config/errc.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include <atomic>
#include <system_error>
#include <utility>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

/// So that a power cut leaves the new directory there.
void sync_parent(const fs::path& directory) {
  const int parent = ::open(fs::absolute(directory).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0)
    return;
  ::fsync(parent);
  ::close(parent);
}

caf::error prepare_directory(const fs::path& directory) {
  std::error_code failure;
  if (fs::create_directories(directory, failure)) {
    fs::permissions(directory, fs::perms::owner_all, failure);
    sync_parent(directory);
  }
  if (failure)
    return make_error(errc::io_error, "making the database's directory: " + failure.message());
  return caf::none;
}

} // namespace

struct database::state {
  access how = access::owner;
  fs::path directory;
  directory_lock lock;           ///< an owner's; dropped last, when the files are closed
  temporary_directory own_files; ///< a secondary's
  handles open;
  std::atomic<bool> writing_stopped = false;

  caf::error open_as_owner();
  caf::error open_as_secondary();
  caf::error follow();
};

caf::error database::state::open_as_owner() {
  if (auto err = prepare_directory(directory))
    return err;
  auto held = directory_lock::take(directory);
  if (!held)
    return held.error();
  lock = std::move(*held);
  if (auto err = check_files(directory))
    return err;
  if (has_database(directory))
    if (auto err = check_versions(directory))
      return err;
  const auto opened = open.fill([this](auto* families, auto** db) {
    return rocksdb::DB::Open(owner_options(), directory.string(), family_descriptors(), families, db);
  });
  if (auto err = to_error(opened, "opening it", phase::opening))
    return err;
  if (auto err = check_archives(open, directory))
    return err;
  return settle_schema(open);
}

caf::error database::state::open_as_secondary() {
  auto made = temporary_directory::make();
  if (!made)
    return made.error();
  own_files = std::move(*made);
  return follow();
}

caf::error database::state::follow() {
  auto fresh = open_secondary(directory, own_files.path());
  if (!fresh)
    return fresh.error();
  open = std::move(*fresh);
  return caf::none;
}

caf::expected<std::shared_ptr<database>> database::open(const fs::path& directory, access how) {
  auto made = std::make_unique<state>();
  made->how = how;
  made->directory = directory;
  if (auto err = how == access::owner ? made->open_as_owner() : made->open_as_secondary())
    return err;
  return std::shared_ptr<database>{new database{std::move(made)}};
}

database::database(std::unique_ptr<state> opened) : state_{std::move(opened)} {}

database::~database() {
  if (auto err = sync())
    spdlog::error("closing the database: {}", what_of(err));
}

caf::error database::catch_up() {
  if (state_->how == access::owner)
    return caf::none;
  return state_->follow();
}

caf::error database::sync() {
  if (state_->how == access::secondary)
    return caf::none;
  if (writing_stopped())
    return make_error(errc::io_error, "syncing the database: it has failed to write");
  const auto status = state_->open.db().SyncWAL();
  if (!status.ok())
    stop_writing();
  return to_error(status, "syncing the database");
}

void database::stop_writing() noexcept {
  state_->writing_stopped = true;
}

bool database::writing_stopped() const noexcept {
  return state_->writing_stopped;
}

database::access database::mode() const noexcept {
  return state_->how;
}

rocksdb::DB& database::db() noexcept {
  return state_->open.db();
}

rocksdb::ColumnFamilyHandle* database::at(family which) noexcept {
  return state_->open.at(which);
}

} // namespace troupe::storage
