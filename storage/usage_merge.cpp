#include "storage/usage_merge.hpp"

#include "storage/values.hpp"

namespace troupe::storage {

bool usage_merge::Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& operand,
                        std::string* result, rocksdb::Logger*) const {
  if (existing)
    result->assign(existing->data(), existing->size());
  else
    result->clear();
  return add_encoded_totals(*result, operand.ToStringView());
}

} // namespace troupe::storage
