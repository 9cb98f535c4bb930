#pragma once

#include "actors/messages.hpp"
#include "http/node_context.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

/// Metrics in Prometheus's text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
namespace troupe::http {

/// Writes metrics family by family: HELP and TYPE once, then its samples.
class exposition {
public:
  using labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a family; `type` is counter, gauge or histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);

  void sample(labels which, uint64_t value);

  /// The cumulative buckets, sum and count of a histogram, in seconds.
  void sample(const function_metrics& of, const histogram& durations);

  std::string take() { return std::move(out_); }

private:
  void line(std::string_view suffix, labels which, std::string_view value);

  std::string name_;
  std::string out_;
};

/// Nanoseconds as seconds in decimal digits, without an exponent: 1500 is 0.0000015.
std::string decimal_seconds(uint64_t ns);

/// The whole answer to GET /metrics.
std::string metrics_document(const node_context& node, const worker_status& worker,
                             const std::vector<function_metrics>& functions);

} // namespace troupe::http
