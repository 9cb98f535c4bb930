#pragma once

#include "actors/messages.hpp"
#include "config/settings.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"

#include <chrono>
#include <string>

namespace troupe {

/// What was measured of one invocation. Times are zero where there was nothing to measure.
struct measures {
  invocation_status status = invocation_status::ok;
  std::chrono::nanoseconds queued{};
  std::chrono::nanoseconds init{};
  std::chrono::nanoseconds run{};
  std::chrono::nanoseconds cpu{};
  uint64_t memory_peak_bytes = 0;
  uint64_t bytes_out = 0;
};

/// Makes usage records: what was measured, and what it costs at today's prices. A value; shared by copying.
class accountant {
public:
  accountant() = default;
  accountant(config::billing_settings billing, std::string node)
    : billing_{std::move(billing)}, node_{std::move(node)} {}

  /// `call.function` has to be set.
  usage_record record(const invocation& call, const measures& what) const;

  /// The same for one that was refused: nothing was run, nothing is billed.
  usage_record throttled(const invocation& call) const;

private:
  config::billing_settings billing_;
  std::string node_;
};

/// How long ago the node had the whole request.
std::chrono::nanoseconds since_received(const invocation& call);

/// The log's tail as AWS frames it: START, what the handler wrote, END and REPORT; at most limits::log_tail_bytes.
std::string framed_log(const usage_record& record, std::string written);

/// The error document for what a handler cannot say itself, in the form of those it can say:
/// {"errorType", "errorMessage", "stackTrace"}. `status` is timeout, crash or out_of_memory.
std::string failure_document(const invocation& call, invocation_status status, const handlers::sandbox_death& death);

/// The same for a handler whose module did not load in time.
std::string init_timeout_document(const invocation& call);

} // namespace troupe
