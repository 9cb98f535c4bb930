#include "actors/ledger.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/pace.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace troupe {

void histogram::add(uint64_t ns) {
  if (counts.empty())
    counts.resize(latency_bounds_ns.size() + 1);
  const auto bucket = std::lower_bound(latency_bounds_ns.begin(), latency_bounds_ns.end(), ns);
  ++counts[static_cast<size_t>(bucket - latency_bounds_ns.begin())];
  sum_ns += ns;
}

namespace {

using namespace std::chrono_literals;
using self_pointer = ledger_inner::stateful_pointer<ledger_state>;

/// Between two syncs to the disk: a kill of the node loses nothing of what was appended, a power cut this much.
constexpr auto sync_interval = 1s;

/// Removed functions leave in this way, too, and nobody grows the node by names that are used once.
void forget_longest_unused(ledger_state& st) {
  const auto oldest = std::ranges::min_element(st.functions, {}, [](const auto& each) { return each.second.latest; });
  st.functions.erase(oldest);
}

void observe(ledger_state& st, const usage_record& record) {
  auto& [seen, latest] = st.functions[{record.tenant, record.function}];
  latest = ++st.observed;
  if (seen.by_status.empty()) {
    if (st.functions.size() > limits::metered_functions_max)
      forget_longest_unused(st);
    seen.tenant = record.tenant;
    seen.function = record.function;
    seen.by_status.resize(static_cast<size_t>(invocation_status::throttled) + 1);
  }
  ++seen.by_status[static_cast<size_t>(record.status)];
  if (record.status == invocation_status::throttled)
    return;
  seen.queue.add(record.queued_ns);
  if (record.init_ns > 0)
    seen.init.add(record.init_ns);
  seen.run.add(record.run_ns);
}

caf::error append(self_pointer self, std::span<const usage_record> records) {
  auto& st = self->state;
  for (const auto& record : records)
    observe(st, record);
  if (auto err = st.store->append(records)) {
    spdlog::error("{} invocation records could not be stored: {}", records.size(), what_of(err));
    return err;
  }
  if (!std::exchange(st.syncing, true))
    self->delayed_send(self, sync_interval, atom::tick::value);
  return {};
}

template <class T>
caf::result<T> result_of(caf::expected<T> value) {
  if (!value)
    return std::move(value.error());
  return std::move(*value);
}

} // namespace

ledger_inner::behavior_type ledger(self_pointer self, std::shared_ptr<storage::database> db) {
  // Its thread pushes nobody aside: records can wait for a moment, those who are answered cannot.
  handlers::set_pace(0, handlers::pace::crowded);
  self->state.store.emplace(db);
  self->state.db = std::move(db);
  return {
    [self](atom::append, const std::vector<usage_record>& records) { append(self, records); },
    [self](atom::append, const usage_record& record, outcome& result) -> caf::result<outcome> {
      if (append(self, {&record, 1}))
        return make_error(errc::unavailable, "the function ran, but its record could not be stored");
      return std::move(result);
    },
    [](atom::flush) -> caf::result<caf::unit_t> { return caf::unit; }, // it stores what comes before it takes the next
    [self](atom::records, const ledger_filter& filter) { return result_of(self->state.store->records(filter)); },
    [self](atom::usage, const ledger_filter& filter) { return result_of(self->state.store->usage(filter)); },
    [self](atom::verify) { return result_of(self->state.store->verify()); },
    [self](atom::metrics) {
      std::vector<function_metrics> all;
      all.reserve(self->state.functions.size());
      for (const auto& [key, metered] : self->state.functions)
        all.push_back(metered.metrics);
      return all;
    },
    [self](atom::tick) {
      self->state.syncing = false;
      if (const auto err = self->state.db->sync())
        spdlog::error("the ledger could not be synced: {}", what_of(err));
    },
  };
}

} // namespace troupe
