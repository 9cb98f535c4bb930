#include "http/ledger_merge.hpp"

#include <algorithm>
#include <tuple>

namespace troupe::http {

using storage::usage_record;
using storage::usage_row;
using storage::verify_report;

namespace {

auto key_of(const usage_row& row) {
  return std::tie(row.tenant, row.function, row.hour);
}

} // namespace

std::vector<usage_row> merge_usage(std::vector<std::vector<usage_row>> of_ledgers) {
  std::vector<usage_row> all;
  for (auto& rows : of_ledgers)
    all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  std::ranges::stable_sort(all, [](const auto& a, const auto& b) { return key_of(a) < key_of(b); });
  std::vector<usage_row> sums;
  for (auto& row : all) {
    if (!sums.empty() && key_of(sums.back()) == key_of(row))
      sums.back().totals.add(row.totals);
    else
      sums.push_back(std::move(row));
  }
  return sums;
}

verify_report merge_reports(const std::vector<named_report>& of_ledgers) {
  verify_report all;
  for (const auto& [node, report] : of_ledgers) {
    all.records += report.records;
    all.rows += report.rows;
    const auto of_node = node.empty() ? std::string{} : node + ": ";
    for (const auto& fault : report.faults)
      all.faults.push_back(of_node + fault);
  }
  return all;
}

void record_merge::push_head(size_t ledger) {
  const auto& part = parts_[ledger];
  if (part.used < part.records.size())
    heads_.emplace(part.records[part.used].id, ledger);
}

void record_merge::feed(size_t ledger, std::vector<usage_record> records, bool is_last) {
  auto& part = parts_[ledger];
  if (!records.empty())
    part.last = records.back().id;
  part.is_last = is_last || records.empty();
  part.records = std::move(records);
  part.used = 0;
  push_head(ledger);
}

std::optional<size_t> record_merge::proceed() {
  while (!heads_.empty()) {
    const auto [id, ledger] = heads_.top();
    if (page_.size() >= count_max_ && id != page_.back().id) {
      has_more_ = true;
      return std::nullopt;
    }
    heads_.pop();
    auto& part = parts_[ledger];
    page_.push_back(std::move(part.records[part.used++]));
    push_head(ledger);
    if (part.used == part.records.size() && !part.is_last)
      return ledger;
  }
  return std::nullopt;
}

std::optional<uuid> record_merge::next() const {
  if (!has_more_)
    return std::nullopt;
  return page_.back().id;
}

} // namespace troupe::http
