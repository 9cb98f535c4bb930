#include "storage/record_scan.hpp"

#include "storage/keys.hpp"
#include "storage/status.hpp"
#include "storage/values.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace troupe::storage {

namespace {

using std::chrono::milliseconds;

constexpr int64_t ns_per_ms = 1'000'000;
constexpr int64_t ms_per_hour = 3'600'000;
constexpr int64_t ns_per_hour = ns_per_ms * ms_per_hour;
constexpr int64_t time_max = std::numeric_limits<int64_t>::max();
constexpr int64_t id_ms_max = (int64_t{1} << 48) - 1;
constexpr int64_t skew_ms = milliseconds{limits::ledger_skew_max}.count();

int64_t floor_div(int64_t value, int64_t by) noexcept {
  return value / by - (value % by < 0 ? 1 : 0);
}

/// The ids that records of a time range can have: from the first, up to but without the second.
struct id_range {
  uuid from;
  uuid to;
  bool open_end = false;
};

id_range ids_of(const ledger_filter& filter) {
  id_range range;
  if (filter.since_ms > skew_ms)
    range.from = uuid::floor_of(milliseconds{std::min(filter.since_ms - skew_ms, id_ms_max)});
  range.open_end = filter.until_ms > id_ms_max - skew_ms;
  if (!range.open_end)
    range.to = uuid::floor_of(milliseconds{std::max<int64_t>(0, filter.until_ms + skew_ms)});
  return range;
}

bool matches(const usage_record& record, const ledger_filter& filter) noexcept {
  const int64_t start_ms = floor_div(record.start_ns, ns_per_ms);
  return start_ms >= filter.since_ms && start_ms < filter.until_ms
      && (filter.function.empty() || record.function == filter.function);
}

/// One tenant's keys in a range of ids.
class cursor {
public:
  cursor(std::unique_ptr<rocksdb::Iterator> keys, const std::string& tenant, const ledger_filter& filter,
         const id_range& range)
    : keys_{std::move(keys)}, prefix_{key_prefix(tenant)} {
    make_invocation_key(end_, tenant, range.to);
    if (range.open_end)
      end_ = behind_prefix(prefix_);
    std::string begin;
    make_invocation_key(begin, tenant, std::max(range.from, filter.after));
    keys_->Seek(begin);
    if (!filter.after.is_nil() && valid() && key() == begin && filter.after >= range.from)
      keys_->Next(); // Paging begins behind the id.
  }

  bool valid() const { return keys_->Valid() && key() < end_; }
  std::string_view key() const { return keys_->key().ToStringView(); }
  std::string_view value() const { return keys_->value().ToStringView(); }
  std::string_view id() const { return key().substr(prefix_.size()); }
  void next() { keys_->Next(); }
  rocksdb::Status status() const { return keys_->status(); }

private:
  std::unique_ptr<rocksdb::Iterator> keys_;
  std::string prefix_;
  std::string end_;
};

constexpr std::string_view step = "reading the invocations";

/// All tenants that have records: one seek for each.
caf::error list_tenants(const read_view& view, std::vector<std::string>& tenants) {
  const auto keys = view.iterate(family::invocations);
  keys->SeekToFirst();
  while (keys->Valid()) {
    const auto parts = parse_invocation_key(keys->key().ToStringView());
    if (!parts)
      return make_error(errc::storage_damaged, "the database is damaged: an invocation's key cannot be read");
    tenants.emplace_back(parts->tenant);
    keys->Seek(behind_prefix(key_prefix(tenants.back())));
  }
  return to_error(keys->status(), step);
}

} // namespace

int64_t hour_of_ns(int64_t ns) noexcept {
  return floor_div(ns, ns_per_hour);
}

int64_t hour_of_ms(int64_t ms) noexcept {
  return floor_div(ms, ms_per_hour);
}

int64_t start_of_hour_ms(int64_t hour) noexcept {
  int64_t ms = 0;
  if (__builtin_mul_overflow(hour, ms_per_hour, &ms))
    return hour < 0 ? std::numeric_limits<int64_t>::min() : time_max;
  return ms;
}

caf::error scan_records(const read_view& view, const ledger_filter& filter,
                        const std::function<bool(usage_record&)>& visit) {
  std::vector<std::string> tenants{filter.tenant};
  if (filter.tenant.empty()) {
    tenants.clear();
    if (auto err = list_tenants(view, tenants))
      return err;
  }
  const auto range = ids_of(filter);
  std::vector<cursor> cursors;
  cursors.reserve(tenants.size());
  for (const auto& tenant : tenants)
    cursors.emplace_back(view.iterate(family::invocations), tenant, filter, range);
  for (;;) {
    for (const auto& each : cursors)
      if (auto err = to_error(each.status(), step))
        return err;
    std::erase_if(cursors, [](const cursor& each) { return !each.valid(); });
    if (cursors.empty())
      return caf::none;
    auto& first = *std::min_element(cursors.begin(), cursors.end(),
                                    [](const cursor& a, const cursor& b) { return a.id() < b.id(); });
    auto record = decode_record(first.key(), first.value());
    if (!record)
      return record.error();
    if (matches(*record, filter) && !visit(*record))
      return caf::none;
    first.next();
  }
}

} // namespace troupe::storage
