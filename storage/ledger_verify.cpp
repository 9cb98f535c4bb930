// Verification: the sums made anew from all records, against the stored ones.
#include "storage/keys.hpp"
#include "storage/ledger_store.hpp"
#include "storage/read_view.hpp"
#include "storage/record_scan.hpp"
#include "storage/status.hpp"
#include "storage/values.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <map>
#include <string>

namespace troupe::storage {

namespace {

using sums_by_key = std::map<std::string, usage_totals, std::less<>>;

/// Lines up to a bound, so that a wholly damaged ledger gives a report and not an exhausted memory.
class fault_list {
public:
  explicit fault_list(std::vector<std::string>& lines) : lines_{lines} {}

  void add(std::string line) {
    if (lines_.size() < limits::ledger_faults_max)
      lines_.push_back(std::move(line));
    else
      ++left_out_;
  }

  ~fault_list() {
    if (left_out_ > 0)
      lines_.push_back(fmt::format("and {} more", left_out_));
  }
  fault_list(const fault_list&) = delete;
  fault_list& operator=(const fault_list&) = delete;

private:
  std::vector<std::string>& lines_;
  uint64_t left_out_ = 0;
};

/// "tenant/function at 2026-01-31T07Z"
std::string place_of(std::string_view usage_key) {
  const auto parts = parse_usage_key(usage_key);
  if (!parts)
    return "a sum whose key cannot be read";
  const std::time_t seconds = start_of_hour_ms(parts->hour) / 1000;
  return fmt::format("{}/{} at {:%Y-%m-%dT%H}Z", parts->tenant, parts->function, fmt::gmtime(seconds));
}

/// Names each sum that differs.
std::string difference(const usage_totals& stored, const usage_totals& counted) {
  std::string text;
  const auto compare = [&text](std::string_view name, uint64_t is, uint64_t should_be) {
    if (is != should_be)
      text += fmt::format("{}{} is {} and should be {}", text.empty() ? "" : ", ", name, is, should_be);
  };
  compare("invocations", stored.invocations, counted.invocations);
  compare("errors", stored.errors, counted.errors);
  compare("throttled", stored.throttled, counted.throttled);
  compare("cold_starts", stored.cold_starts, counted.cold_starts);
  compare("run_ns", stored.run_ns, counted.run_ns);
  compare("cpu_ns", stored.cpu_ns, counted.cpu_ns);
  compare("billed_ms", stored.billed_ms, counted.billed_ms);
  compare("billed_mb_ms", stored.billed_mb_ms, counted.billed_mb_ms);
  compare("cost_pico", stored.cost_pico, counted.cost_pico);
  return text;
}

/// Adds up all records. Only the sums are held in memory.
caf::error count(const read_view& view, sums_by_key& sums, verify_report& report, fault_list& faults) {
  std::string key;
  const auto records = view.iterate(family::invocations);
  for (records->SeekToFirst(); records->Valid(); records->Next()) {
    ++report.records;
    const auto record = decode_record(records->key().ToStringView(), records->value().ToStringView());
    if (!record) {
      faults.add(what_of(record.error()));
      continue;
    }
    make_usage_key(key, record->tenant, record->function, hour_of_ns(record->start_ns));
    sums[key].add(*record);
  }
  return to_error(records->status(), "reading the invocations");
}

/// Compares the stored sums with `counted`, and takes those that were met out of it.
caf::error compare(const read_view& view, sums_by_key& counted, verify_report& report, fault_list& faults) {
  const auto stored = view.iterate(family::usage);
  for (stored->SeekToFirst(); stored->Valid(); stored->Next()) {
    ++report.rows;
    const auto key = stored->key().ToStringView();
    const auto totals = decode_totals(stored->value().ToStringView());
    const auto match = counted.find(key);
    if (!totals)
      faults.add(place_of(key) + ": the stored sums cannot be read");
    else if (match == counted.end())
      faults.add(place_of(key) + ": there are stored sums and no records");
    else if (const auto text = difference(*totals, match->second); !text.empty())
      faults.add(place_of(key) + ": " + text);
    if (match != counted.end())
      counted.erase(match);
  }
  return to_error(stored->status(), "reading the sums");
}

} // namespace

caf::expected<verify_report> ledger_store::verify() const {
  verify_report report;
  const read_view view{*db_};
  sums_by_key counted;
  {
    fault_list faults{report.faults};
    if (auto err = count(view, counted, report, faults))
      return err;
    if (auto err = compare(view, counted, report, faults))
      return err;
    for (const auto& [key, totals] : counted)
      faults.add(place_of(key) + ": there are records and no stored sums");
  }
  return report;
}

} // namespace troupe::storage
