#pragma once

#include "storage/read_view.hpp"
#include "storage/records.hpp"

#include <caf/error.hpp>

#include <functional>

namespace troupe::storage {

/// The hour of a point in time, since the epoch; also right before the epoch.
int64_t hour_of_ns(int64_t ns) noexcept;
int64_t hour_of_ms(int64_t ms) noexcept;

/// The first millisecond of an hour; the largest number behind the last hour that has one.
int64_t start_of_hour_ms(int64_t hour) noexcept;

/// Calls `visit` with the records that match `filter`, in the order of their ids, until it returns false. One record
/// is in memory at a time. `filter.count_max` is not looked at.
///
/// A record's time is its start, and the filter's bounds are exact on it. The keys sort by id, whose time is
/// another reading of the clock: keys are read for limits::ledger_skew_max beyond each bound.
caf::error scan_records(const read_view& view, const ledger_filter& filter,
                        const std::function<bool(usage_record&)>& visit);

} // namespace troupe::storage
