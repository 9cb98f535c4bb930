#include "storage/records.hpp"

#include <limits>

namespace troupe::storage {

namespace {

/// Sums stop at the largest number instead of starting again from zero. Such an addition is associative and
/// commutative, so that the order in which RocksDB merges does not show.
void add_to(uint64_t& sum, uint64_t value) noexcept {
  if (__builtin_add_overflow(sum, value, &sum))
    sum = std::numeric_limits<uint64_t>::max();
}

uint64_t product(uint64_t a, uint64_t b) noexcept {
  uint64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? std::numeric_limits<uint64_t>::max() : result;
}

bool failed(invocation_status status) noexcept {
  switch (status) {
    case invocation_status::ok:
    case invocation_status::throttled: return false;
    case invocation_status::error:
    case invocation_status::timeout:
    case invocation_status::crash:
    case invocation_status::out_of_memory: return true;
  }
  return false;
}

} // namespace

std::string_view name_of(invocation_status status) noexcept {
  switch (status) {
    case invocation_status::ok: return "ok";
    case invocation_status::error: return "error";
    case invocation_status::timeout: return "timeout";
    case invocation_status::crash: return "crash";
    case invocation_status::out_of_memory: return "out_of_memory";
    case invocation_status::throttled: return "throttled";
  }
  return "unknown";
}

std::string_view name_of(network_access network) noexcept {
  switch (network) {
    case network_access::none: return "none";
    case network_access::egress: return "egress";
  }
  return "unknown";
}

std::string_view name_of(trigger_kind trigger) noexcept {
  switch (trigger) {
    case trigger_kind::http: return "http";
    case trigger_kind::api: return "api";
  }
  return "unknown";
}

void usage_totals::add(const usage_record& record) noexcept {
  usage_totals one;
  one.invocations = 1;
  one.errors = failed(record.status) ? 1 : 0;
  one.throttled = record.status == invocation_status::throttled ? 1 : 0;
  one.cold_starts = record.init_ns > 0 ? 1 : 0;
  one.run_ns = record.run_ns;
  one.cpu_ns = record.cpu_ns;
  one.billed_ms = record.billed_ms;
  one.billed_mb_ms = product(record.memory_limit_mb, record.billed_ms);
  one.cost_pico = record.cost_pico;
  add(one);
}

void usage_totals::add(const usage_totals& other) noexcept {
  add_to(invocations, other.invocations);
  add_to(errors, other.errors);
  add_to(throttled, other.throttled);
  add_to(cold_starts, other.cold_starts);
  add_to(run_ns, other.run_ns);
  add_to(cpu_ns, other.cpu_ns);
  add_to(billed_ms, other.billed_ms);
  add_to(billed_mb_ms, other.billed_mb_ms);
  add_to(cost_pico, other.cost_pico);
}

} // namespace troupe::storage
