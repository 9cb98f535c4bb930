#pragma once

#include <rocksdb/merge_operator.h>

namespace troupe::storage {

/// Adds up encoded totals inside RocksDB, so that counting an invocation reads nothing. Damaged operands make the
/// read, and a compaction that meets them, fail with corruption: no sum is made up.
/// Thread safety: without state.
class usage_merge : public rocksdb::AssociativeMergeOperator {
public:
  bool Merge(const rocksdb::Slice& key, const rocksdb::Slice* existing, const rocksdb::Slice& operand,
             std::string* result, rocksdb::Logger* logger) const override;
  const char* Name() const override { return "troupe.usage"; }
};

} // namespace troupe::storage
