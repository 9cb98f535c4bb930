#include "storage/schema.hpp"

#include "storage/options.hpp"
#include "storage/status.hpp"

#include "config/errc.hpp"

#include <algorithm>
#include <memory>

namespace troupe::storage {

namespace {

constexpr std::string_view schema_key = "schema";
constexpr size_t schema_bytes = 4; // big-endian

std::string encoded_version() {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(schema_version >> shift);
  return bytes;
}

caf::error later_version() {
  return make_error(errc::storage_damaged, "the database was written by a later version of this program");
}

bool is_empty(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
  const std::unique_ptr<rocksdb::Iterator> all{db.NewIterator({}, family)};
  all->SeekToFirst();
  return !all->Valid() && all->status().ok();
}

} // namespace

caf::error check_schema(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta, if_missing missing) {
  std::string value;
  const auto status = db.Get({}, meta, schema_key, &value);
  if (status.IsNotFound() && missing == if_missing::pass)
    return caf::none;
  if (auto err = to_error(status, "reading its version", phase::opening))
    return err;
  if (value.size() != schema_bytes)
    return make_error(errc::storage_damaged, "the database is damaged: its version cannot be read");
  if (value > encoded_version()) // Big-endian, so that bytes compare as numbers.
    return later_version();
  return caf::none;
}

caf::error settle_schema(const handles& open) {
  auto& db = open.db();
  auto* meta = open.at(family::meta);
  std::string value;
  if (db.Get({}, meta, schema_key, &value).ok())
    return caf::none;
  for (auto* each : open.families())
    if (!is_empty(db, each))
      return make_error(errc::storage_damaged, "the database is damaged: it has lost its version");
  rocksdb::WriteOptions synced;
  synced.sync = true;
  auto status = db.Put(synced, meta, schema_key, encoded_version());
  if (status.ok())
    status = db.Flush({}, meta); // Into a table: a database that is made has one (check_files).
  return to_error(status, "writing the database's version");
}

caf::error check_families(const std::vector<std::string>& found) {
  const auto ours = family_names();
  for (const auto& name : found)
    if (name != rocksdb::kDefaultColumnFamilyName && std::find(ours.begin(), ours.end(), name) == ours.end())
      return later_version();
  return caf::none;
}

} // namespace troupe::storage
