#include "storage/inspection.hpp"

#include "storage/options.hpp"
#include "storage/schema.hpp"
#include "storage/status.hpp"

#include "config/errc.hpp"

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

caf::error damaged(std::string what) {
  return make_error(errc::storage_damaged, "the database is damaged: " + std::move(what));
}

} // namespace

bool has_database(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(directory / "CURRENT", ignored);
}

caf::error check_files(const fs::path& directory) {
  bool tables = false;
  bool logs = false;
  std::error_code failure;
  for (const auto& file : fs::directory_iterator{directory, failure}) {
    const auto kind = file.path().extension();
    tables = tables || kind == ".sst" || kind == ".blob";
    logs = logs || kind == ".log";
  }
  if (failure)
    return make_error(errc::io_error, "reading the database's directory: " + failure.message());
  if (!has_database(directory) && (tables || logs))
    return damaged("its file CURRENT is missing");
  if (tables && !logs) // Once it is made, a database has a table (settle_schema) and always a log.
    return damaged("its log is missing");
  return caf::none;
}

caf::error check_versions(const fs::path& directory) {
  const auto options = inspection_options();
  std::vector<std::string> found;
  const auto listed = rocksdb::DB::ListColumnFamilies(options, directory.string(), &found);
  if (auto err = to_error(listed, "listing its families", phase::opening))
    return err;
  if (auto err = check_families(found))
    return err;
  const auto meta = family_names()[static_cast<size_t>(family::meta)];
  if (std::find(found.begin(), found.end(), meta) == found.end())
    return caf::none; // Its creation was cut off: opening it completes it.
  auto descriptors = family_descriptors();
  std::erase_if(descriptors, [&meta](const auto& each) {
    return each.name != meta && each.name != rocksdb::kDefaultColumnFamilyName;
  });
  handles view;
  const auto opened = view.fill([&](auto* families, auto** db) {
    return rocksdb::DB::OpenForReadOnly(options, directory.string(), descriptors, families, db);
  });
  if (auto err = to_error(opened, "opening it", phase::opening))
    return err;
  return check_schema(view.db(), view.families().back(), if_missing::pass);
}

caf::error check_archives(const handles& open, const fs::path& directory) {
  rocksdb::ColumnFamilyMetaData files;
  open.db().GetColumnFamilyMetaData(open.at(family::bundles), &files);
  for (const auto& each : files.blob_files) {
    const auto name = fs::path{each.blob_file_name}.filename();
    std::error_code failure;
    const auto size = fs::file_size(directory / name, failure);
    if (failure || size != each.blob_file_size)
      return damaged("its file " + name.string() + " is missing or cut");
  }
  return caf::none;
}

} // namespace troupe::storage
