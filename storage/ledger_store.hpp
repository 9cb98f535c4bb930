#pragma once

#include "storage/database.hpp"
#include "storage/records.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <span>
#include <vector>

namespace troupe::storage {

/// Invocation records and the sums over them (per tenant, function and hour; a merge operator adds them up).
/// Thread safety: reads may come from every thread, `append` from one at a time. Readers take a moment's view and see
/// a batch wholly or not at all.
class ledger_store {
public:
  explicit ledger_store(std::shared_ptr<database> db);
  ledger_store(ledger_store&&) noexcept;
  ledger_store& operator=(ledger_store&&) noexcept;
  ~ledger_store();

  /// Writes records and adds them to the sums, in one batch. Survives the end of the process once it returns;
  /// survives a power cut after database::sync. Ids have to be new: a record that is appended twice counts twice and
  /// is stored once, which `verify` reports. Nothing is written when it fails.
  caf::error append(std::span<const usage_record> records);

  /// Records in the order of their ids (which is that of time), at most filter.count_max. The filter's bounds are
  /// exact on start_ns, provided that the id's time is within limits::ledger_skew_max of it.
  caf::expected<std::vector<usage_record>> records(const ledger_filter& filter) const;

  /// The stored sums by tenant, function and hour; an hour that a bound of the filter cuts is summed anew from its
  /// records, and is left out when none lies between the bounds.
  caf::expected<std::vector<usage_row>> usage(const ledger_filter& filter) const;

  /// Makes the sums anew from the records and compares them with the stored ones, on one snapshot. Holds the sums in
  /// memory, not the records. At most limits::ledger_faults_max faults are named.
  caf::expected<verify_report> verify() const;

private:
  struct scratch;
  std::shared_ptr<database> db_;
  std::unique_ptr<scratch> scratch_;
};

} // namespace troupe::storage
