#include "actors/accounting.hpp"

#include "storage/pricing.hpp"

#include <fmt/format.h>

#include <cstring>

namespace troupe {

namespace {

uint64_t ns(std::chrono::nanoseconds time) noexcept {
  return time.count() > 0 ? static_cast<uint64_t>(time.count()) : 0;
}

/// `message` needs no escaping: it is made of our own words, ids and numbers.
std::string document(std::string_view type, const uuid& id, std::string_view message) {
  return fmt::format(R"({{"errorType":"{}","errorMessage":"RequestId: {} Error: {}","stackTrace":[]}})", type,
                     id.to_string(), message);
}

} // namespace

usage_record accountant::record(const invocation& call, const measures& what) const {
  const auto& function = *call.function;
  usage_record record;
  record.id = call.id;
  record.tenant = function.config.tenant;
  record.function = function.config.name;
  record.version = function.version;
  record.node = node_;
  record.trigger = call.trigger;
  record.status = what.status;
  record.start_ns = call.received_ns;
  record.queued_ns = ns(what.queued);
  record.init_ns = ns(what.init);
  record.run_ns = ns(what.run);
  record.cpu_ns = ns(what.cpu);
  record.memory_limit_mb = function.config.memory_mb;
  record.memory_peak_bytes = what.memory_peak_bytes;
  record.bytes_in = call.payload_bytes;
  record.bytes_out = what.bytes_out;
  if (what.status != invocation_status::throttled) {
    record.billed_ms = storage::billed_ms(record.run_ns, billing_.granularity);
    record.cost_pico = storage::cost_pico(record.billed_ms, record.memory_limit_mb, billing_.price_per_gb_second_pico,
                                          billing_.price_per_request_pico);
  }
  return record;
}

usage_record accountant::throttled(const invocation& call) const {
  return record(call, {.status = invocation_status::throttled, .queued = since_received(call)});
}

std::chrono::nanoseconds since_received(const invocation& call) {
  return std::chrono::system_clock::now().time_since_epoch() - std::chrono::nanoseconds{call.received_ns};
}

std::string framed_log(const usage_record& record, std::string written) {
  const auto id = record.id.to_string();
  const auto ms = [](uint64_t time_ns) { return fmt::format("{}.{:02}", time_ns / 1'000'000, time_ns / 10'000 % 100); };
  if (!written.empty() && written.back() != '\n')
    written.push_back('\n');
  const auto head = fmt::format("START RequestId: {} Version: {}\n", id, record.version);
  auto tail = fmt::format("END RequestId: {}\nREPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\t"
                          "Memory Size: {} MB\tMax Memory Used: {} MB",
                          id, id, ms(record.run_ns), record.billed_ms, record.memory_limit_mb,
                          (record.memory_peak_bytes + limits::mib - 1) / limits::mib);
  if (record.init_ns > 0)
    tail += fmt::format("\tInit Duration: {} ms", ms(record.init_ns));
  tail += "\t\n";
  auto all = head + written + tail;
  if (all.size() > limits::log_tail_bytes)
    all.erase(0, all.size() - limits::log_tail_bytes);
  return all;
}

std::string failure_document(const invocation& call, invocation_status status, const handlers::sandbox_death& death) {
  const auto& config = call.function->config;
  if (status == invocation_status::timeout)
    return document("Sandbox.Timedout", call.id, fmt::format("Task timed out after {}.00 seconds", config.timeout_s));
  if (status == invocation_status::out_of_memory)
    return document("Runtime.OutOfMemory", call.id,
                    fmt::format("The function used more than its {} MB of memory", config.memory_mb));
  if (death.why == handlers::sandbox_death::cause::signalled) {
    const char* name = sigabbrev_np(death.code);
    return document("Runtime.ExitError", call.id,
                    fmt::format("Runtime exited with error: signal: SIG{}", name != nullptr ? name : "?"));
  }
  if (death.code == 0)
    return document("Runtime.ExitError", call.id, "Runtime exited without providing a reason");
  return document("Runtime.ExitError", call.id, fmt::format("Runtime exited with error: exit status {}", death.code));
}

std::string init_timeout_document(const invocation& call) {
  return document("Sandbox.Timedout", call.id,
                  fmt::format("The handler's module did not load within {} seconds", limits::init_time_max.count()));
}

} // namespace troupe
