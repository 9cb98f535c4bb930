#include "storage/ledger_store.hpp"

#include "storage/commit.hpp"
#include "storage/keys.hpp"
#include "storage/read_view.hpp"
#include "storage/record_scan.hpp"
#include "storage/status.hpp"
#include "storage/values.hpp"

#include "config/errc.hpp"

#include <rocksdb/db.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>

namespace troupe::storage {

/// What append needs for a moment, kept so that it is not allocated anew for each batch.
struct ledger_store::scratch {
  rocksdb::WriteBatch batch;
  std::string key;
  std::string value;
  std::map<std::string, usage_totals, std::less<>> sums; ///< by usage key
};

ledger_store::ledger_store(std::shared_ptr<database> db) : db_{std::move(db)}, scratch_{std::make_unique<scratch>()} {}

ledger_store::ledger_store(ledger_store&&) noexcept = default;
ledger_store& ledger_store::operator=(ledger_store&&) noexcept = default;
ledger_store::~ledger_store() = default;

caf::error ledger_store::append(std::span<const usage_record> records) {
  auto& [batch, key, value, sums] = *scratch_;
  batch.Clear();
  sums.clear();
  for (const auto& record : records) {
    if (!fits_key(record.tenant) || !fits_key(record.function))
      return make_error(errc::invalid_argument, "a function's name and tenant hold no zero bytes");
    make_usage_key(key, record.tenant, record.function, hour_of_ns(record.start_ns));
    // One merge a sum instead of one a record: a batch has few functions and seldom two hours.
    sums[key].add(record);
    make_invocation_key(key, record.tenant, record.id);
    encode(value, record);
    if (auto err = to_error(batch.Put(db_->at(family::invocations), key, value), "adding an invocation"))
      return err;
  }
  for (const auto& [name, totals] : sums) {
    encode(value, totals);
    if (auto err = to_error(batch.Merge(db_->at(family::usage), name, value), "adding up usage"))
      return err;
  }
  return commit(*db_, batch, survives::kill, "storing invocations");
}

caf::expected<std::vector<usage_record>> ledger_store::records(const ledger_filter& filter) const {
  std::vector<usage_record> found;
  if (filter.count_max == 0)
    return found;
  const read_view view{*db_};
  auto err = scan_records(view, filter, [&](usage_record& record) {
    found.push_back(std::move(record));
    return found.size() < filter.count_max;
  });
  if (err)
    return err;
  return found;
}

namespace {

/// Whole hours are taken from the stored sums, the hours that a bound cuts from the records.
struct hour_range {
  int64_t from = 0;                                ///< first whole hour
  int64_t to = 0;                                  ///< behind the last whole hour
  std::vector<std::pair<int64_t, int64_t>> cut_ms; ///< what is left at the ends
};

hour_range split(int64_t since_ms, int64_t until_ms) {
  hour_range range;
  if (since_ms >= until_ms)
    return range;
  const int64_t first = hour_of_ms(since_ms);
  const int64_t last = hour_of_ms(until_ms);
  const bool cut_begin = start_of_hour_ms(first) < since_ms;
  range.from = cut_begin ? first + 1 : first;
  range.to = until_ms == std::numeric_limits<int64_t>::max() ? std::numeric_limits<int64_t>::max() : last;
  if (cut_begin)
    range.cut_ms.emplace_back(since_ms, std::min(until_ms, start_of_hour_ms(first + 1)));
  const bool same_hour = cut_begin && first == last;
  if (range.to == last && start_of_hour_ms(last) < until_ms && !same_hour)
    range.cut_ms.emplace_back(start_of_hour_ms(last), until_ms);
  return range;
}

/// Stored sums of the whole hours in `range`.
caf::error read_sums(const read_view& view, const ledger_filter& filter, const hour_range& range,
                     std::vector<usage_row>& rows) {
  std::string prefix = filter.tenant.empty() ? "" : key_prefix(filter.tenant);
  if (!filter.tenant.empty() && !filter.function.empty())
    prefix += key_prefix(filter.function);
  const auto sums = view.iterate(family::usage);
  for (sums->Seek(prefix); sums->Valid() && sums->key().starts_with(prefix); sums->Next()) {
    const auto key = parse_usage_key(sums->key().ToStringView());
    if (!key)
      return make_error(errc::storage_damaged, "the database is damaged: the key of a sum cannot be read");
    if (key->hour < range.from || key->hour >= range.to
        || (!filter.function.empty() && key->function != filter.function))
      continue;
    const auto totals = decode_totals(sums->value().ToStringView());
    if (!totals)
      return totals.error();
    rows.push_back({std::string{key->tenant}, std::string{key->function}, key->hour, *totals});
  }
  return to_error(sums->status(), "reading the sums");
}

/// Sums made from the records between the bounds of `filter`, which lie in one hour.
caf::error sum_records(const read_view& view, const ledger_filter& filter, std::vector<usage_row>& rows) {
  std::map<std::pair<std::string, std::string>, usage_totals> sums;
  auto err = scan_records(view, filter, [&sums](usage_record& record) {
    sums[{record.tenant, record.function}].add(record);
    return true;
  });
  for (auto& [name, totals] : sums)
    rows.push_back({name.first, name.second, hour_of_ms(filter.since_ms), totals});
  return err;
}

} // namespace

caf::expected<std::vector<usage_row>> ledger_store::usage(const ledger_filter& filter) const {
  const read_view view{*db_};
  const auto range = split(filter.since_ms, filter.until_ms);
  std::vector<usage_row> rows;
  if (range.from < range.to)
    if (auto err = read_sums(view, filter, range, rows))
      return err;
  for (const auto& [since_ms, until_ms] : range.cut_ms) {
    ledger_filter part = filter;
    part.since_ms = since_ms;
    part.until_ms = until_ms;
    part.after = {};
    if (auto err = sum_records(view, part, rows))
      return err;
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

} // namespace troupe::storage
