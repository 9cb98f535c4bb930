#pragma once

#include "storage/records.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

/// One answer made of those of several ledgers. Pure: no actors, no clocks.
namespace troupe::http {

/// Adds up the sums of the same function and hour, and puts them into the order in which one ledger gives them.
std::vector<storage::usage_row> merge_usage(std::vector<std::vector<storage::usage_row>> of_ledgers);

/// What one ledger's `verify` found. With a name its faults are told as that node's.
struct named_report {
  std::string node;
  storage::verify_report report;
};

/// Adds up the counts and joins the faults.
storage::verify_report merge_reports(const std::vector<named_report>& of_ledgers);

/// Makes one page, in the order of ids, of records that come from several ledgers piece by piece, so that no more of
/// each has to be in memory than a piece. Records of one id, which only several ledgers can have, are never parted by
/// the end of a page, for the next page begins behind an id: a page may hold that many more.
class record_merge {
public:
  /// At most 2^32 ledgers; a page of `count_max` records, at least 1.
  record_merge(size_t ledgers, size_t count_max) : parts_(ledgers), count_max_{count_max} {}

  /// The next records of a ledger, in the order of ids; `is_last` when it has no others behind them. Every ledger has
  /// to be fed once, and then when `proceed` asks for it.
  void feed(size_t ledger, std::vector<storage::usage_record> records, bool is_last);

  /// Goes on until the page is done, which is nothing, or a ledger has to be fed.
  std::optional<size_t> proceed();

  /// The id behind which a ledger's next piece begins: that of its last record so far.
  const uuid& last_of(size_t ledger) const { return parts_[ledger].last; }

  // Once the page is done.
  const std::vector<storage::usage_record>& page() const noexcept { return page_; }
  std::optional<uuid> next() const; ///< behind which the next page begins, when there is one

private:
  struct piece {
    std::vector<storage::usage_record> records;
    size_t used = 0;
    bool is_last = false;
    uuid last;
  };

  using head = std::pair<uuid, size_t>; ///< the first unused record's id, and its ledger

  void push_head(size_t ledger);

  std::vector<piece> parts_;
  size_t count_max_;
  std::priority_queue<head, std::vector<head>, std::greater<>> heads_;
  std::vector<storage::usage_record> page_;
  bool has_more_ = false;
};

} // namespace troupe::http
