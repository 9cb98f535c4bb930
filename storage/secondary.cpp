#include "storage/secondary.hpp"

#include "storage/inspection.hpp"
#include "storage/options.hpp"
#include "storage/schema.hpp"
#include "storage/status.hpp"

#include "config/errc.hpp"

#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

/// How often to begin again when the owner has replaced files meanwhile: it does so some times a minute.
constexpr int attempts = 10;

/// The file that names the present tables and logs. It grows when they change, and not when a record is written.
struct catalogue {
  std::string name;
  uintmax_t bytes = 0;
  bool operator==(const catalogue&) const = default;
};

catalogue catalogue_of(const fs::path& directory) {
  catalogue found;
  std::ifstream{directory / "CURRENT"} >> found.name;
  std::error_code missing;
  found.bytes = fs::file_size(directory / found.name, missing);
  return found;
}

caf::error open_once(const fs::path& directory, const fs::path& own_files, handles& into) {
  const auto options = secondary_options();
  std::vector<std::string> found;
  const auto listed = rocksdb::DB::ListColumnFamilies(options, directory.string(), &found);
  if (auto err = to_error(listed, "listing its families", phase::opening))
    return err;
  if (auto err = check_families(found))
    return err;
  const auto opened = into.fill([&](auto* families, auto** db) {
    return rocksdb::DB::OpenAsSecondary(options, directory.string(), own_files.string(), family_descriptors(), families,
                                        db);
  });
  if (auto err = to_error(opened, "opening it", phase::opening))
    return err;
  return check_schema(into.db(), into.at(family::meta), if_missing::fail);
}

} // namespace

caf::expected<handles> open_secondary(const fs::path& directory, const fs::path& own_files) {
  if (!has_database(directory))
    return make_error(errc::io_error, "there is no database in this directory");
  for (int i = 0; i < attempts; ++i) {
    const auto before = catalogue_of(directory);
    handles open;
    auto err = open_once(directory, own_files, open);
    if (before != catalogue_of(directory))
      continue; // What was in a log when the tables were listed may have moved into a table before it was read.
    if (err)
      return err;
    return open;
  }
  return make_error(errc::unavailable, "the database changes too quickly to be read, try again");
}

} // namespace troupe::storage
