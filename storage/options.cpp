#include "storage/options.hpp"

#include "storage/usage_merge.hpp"

#include "config/limits.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <memory>

namespace troupe::storage {

namespace {

using limits::mib;

class silent_logger : public rocksdb::Logger {
public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

/// What both ways of opening share.
rocksdb::DBOptions common_options() {
  rocksdb::DBOptions options;
  options.paranoid_checks = true;
  options.max_open_files = -1; // Opens every table at the start: a missing or cut one is found then.
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = mib;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

/// Small records that are read by range.
rocksdb::ColumnFamilyOptions small_records(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = mib;
  options.compression = rocksdb::kLZ4Compression;
  return options;
}

rocksdb::ColumnFamilyOptions options_of(family which, const std::shared_ptr<rocksdb::Cache>& cache) {
  auto options = small_records(cache);
  switch (which) {
    case family::meta:
    case family::functions: break;
    case family::bundles:
      // Archives lie in files of their own, so that compaction moves their keys only. They are compressed already.
      options.compression = rocksdb::kNoCompression;
      options.enable_blob_files = true;
      options.min_blob_size = 0;
      options.blob_file_size = 64 * mib;
      options.enable_blob_garbage_collection = true;
      options.blob_garbage_collection_age_cutoff = 1.0; // The space of an archive that is gone is wanted back.
      options.blob_garbage_collection_force_threshold = 0.5;
      break;
    case family::invocations:
      options.write_buffer_size = 8 * mib; // Some ten thousand records: at full load a flush every few seconds.
      break;
    case family::usage: options.merge_operator = std::make_shared<usage_merge>(); break;
  }
  return options;
}

} // namespace

std::vector<std::string> family_names() {
  return {"meta", "functions", "bundles", "invocations", "usage"};
}

rocksdb::DBOptions owner_options() {
  auto options = common_options();
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // A torn last record is what a kill leaves. Damage anywhere else refuses to open, where the default would drop
  // whatever comes after it without a word.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.max_total_wal_size = 64 * mib; // What has to be replayed after a kill.
  options.max_background_jobs = 2;
  return options;
}

rocksdb::DBOptions secondary_options() {
  auto options = common_options();
  options.info_log = std::make_shared<silent_logger>();
  return options;
}

rocksdb::DBOptions inspection_options() {
  auto options = secondary_options();
  options.track_and_verify_wals_in_manifest = true; // As the owner wrote it.
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors() {
  const auto cache = rocksdb::NewLRUCache(32 * mib);
  std::vector<rocksdb::ColumnFamilyDescriptor> all;
  all.emplace_back(rocksdb::kDefaultColumnFamilyName, small_records(cache));
  size_t index = 0;
  for (const auto& name : family_names())
    all.emplace_back(name, options_of(static_cast<family>(index++), cache));
  return all;
}

} // namespace troupe::storage
