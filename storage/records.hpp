#pragma once

#include "config/ids.hpp"
#include "config/limits.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// The values that are stored and that travel between actors. All are plain: copied, compared, sent.
namespace troupe::storage {

/// What a function's sandboxes reach: nothing but themselves, or the world outside, which does not reach them.
enum class network_access : uint8_t { none, egress };

std::string_view name_of(network_access network) noexcept; ///< "none", "egress"

/// The concurrency_max of a function that has none set. 0 is another thing: such a function takes no invocation.
inline constexpr uint32_t concurrency_unset = UINT32_MAX;

/// What an owner sets of a function.
struct function_config {
  std::string tenant = "default";
  std::string name;
  std::string runtime = "python3";
  std::string handler; ///< module.callable
  std::string description;
  std::string role; ///< kept for AWS clients, without meaning here
  uint32_t memory_mb = limits::memory_mb_default;
  uint32_t timeout_s = limits::timeout_s_default;
  std::map<std::string, std::string> environment;
  uint32_t ephemeral_storage_mb = limits::ephemeral_storage_mb_default; ///< /tmp of a sandbox
  uint32_t concurrency_max = concurrency_unset;                         ///< invocations that run at one time
  uint32_t concurrency_reserved = 0;                                    ///< sandboxes that no other function may take
  network_access network = network_access::none;
  bool idempotent = false; ///< running an invocation twice does no harm: it may be run again on another node

  auto operator<=>(const function_config&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, function_config& x) {
    return f(x.tenant, x.name, x.runtime, x.handler, x.description, x.role, x.memory_mb, x.timeout_s, x.environment,
             x.ephemeral_storage_mb, x.concurrency_max, x.concurrency_reserved, x.network, x.idempotent);
  }
};

/// A function as it can be run: configuration, code, and an id that changes with either.
struct function_version {
  function_config config;
  std::string version = "$LATEST";
  uuid revision;             ///< new with each change but that of concurrency: sandboxes belong to a revision
  digest bundle;             ///< SHA-256 of the archive
  uint64_t bundle_bytes = 0; ///< of the archive
  int64_t modified_ms = 0;   ///< since the epoch

  auto operator<=>(const function_version&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, function_version& x) {
    return f(x.config, x.version, x.revision, x.bundle, x.bundle_bytes, x.modified_ms);
  }
};

enum class invocation_status : uint8_t { ok, error, timeout, crash, out_of_memory, throttled };

enum class trigger_kind : uint8_t { http, api };

std::string_view name_of(invocation_status status) noexcept; ///< "ok", "error", ..., as users see it
std::string_view name_of(trigger_kind trigger) noexcept;     ///< "http", "api"

/// What one invocation used: one is left by each. Times are in ns, `start_ns` since the epoch.
struct usage_record {
  uuid id; ///< of the invocation
  std::string tenant;
  std::string function;
  std::string version;
  std::string node;
  trigger_kind trigger = trigger_kind::http;
  invocation_status status = invocation_status::ok;
  int64_t start_ns = 0;   ///< when the node had the whole request
  uint64_t queued_ns = 0; ///< from then until its sandbox took it, without init
  uint64_t init_ns = 0;   ///< making the sandbox and loading the handler; 0 for a warm start
  uint64_t run_ns = 0;    ///< in the handler
  uint64_t cpu_ns = 0;    ///< of the sandbox's main process during the run
  uint32_t memory_limit_mb = 0;
  uint64_t memory_peak_bytes = 0; ///< of the sandbox since it started
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t billed_ms = 0; ///< run time, rounded up to the granularity
  uint64_t cost_pico = 0; ///< 10^-12 of the currency, at the price of its day

  auto operator<=>(const usage_record&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, usage_record& x) {
    return f(x.id, x.tenant, x.function, x.version, x.node, x.trigger, x.status, x.start_ns, x.queued_ns, x.init_ns,
             x.run_ns, x.cpu_ns, x.memory_limit_mb, x.memory_peak_bytes, x.bytes_in, x.bytes_out, x.billed_ms,
             x.cost_pico);
  }
};

/// Sums of usage records; adding is commutative, so that sums can be kept by merging.
struct usage_totals {
  uint64_t invocations = 0; ///< all, throttled ones among them
  uint64_t errors = 0;      ///< status error, timeout, crash or out_of_memory
  uint64_t throttled = 0;
  uint64_t cold_starts = 0; ///< init_ns > 0
  uint64_t run_ns = 0;
  uint64_t cpu_ns = 0;
  uint64_t billed_ms = 0;
  uint64_t billed_mb_ms = 0; ///< memory limit times billed time
  uint64_t cost_pico = 0;

  void add(const usage_record& record) noexcept;
  void add(const usage_totals& other) noexcept;

  auto operator<=>(const usage_totals&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, usage_totals& x) {
    return f(x.invocations, x.errors, x.throttled, x.cold_starts, x.run_ns, x.cpu_ns, x.billed_ms, x.billed_mb_ms,
             x.cost_pico);
  }
};

/// The sums of one function in one hour.
struct usage_row {
  std::string tenant;
  std::string function;
  int64_t hour = 0; ///< hours since the epoch, of start_ns
  usage_totals totals;

  auto operator<=>(const usage_row&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, usage_row& x) {
    return f(x.tenant, x.function, x.hour, x.totals);
  }
};

/// Which records or sums; empty strings mean all. `since` is inside, `until` outside the range.
struct ledger_filter {
  std::string tenant = "default";
  std::string function;
  int64_t since_ms = 0;
  int64_t until_ms = INT64_MAX;
  uint64_t count_max = limits::query_items_max; ///< records only
  uuid after;                                   ///< records only: begins behind this id (paging)

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, ledger_filter& x) {
    return f(x.tenant, x.function, x.since_ms, x.until_ms, x.count_max, x.after);
  }
};

/// What `verify` found: the stored sums against those made anew from the records.
struct verify_report {
  uint64_t records = 0;            ///< read
  uint64_t rows = 0;               ///< stored sums compared
  std::vector<std::string> faults; ///< a line each; empty when all agree

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, verify_report& x) {
    return f(x.records, x.rows, x.faults);
  }
};

} // namespace troupe::storage
