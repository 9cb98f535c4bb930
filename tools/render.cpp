#include "tools/render.hpp"

#include "config/units.hpp"
#include "http/time_text.hpp"
#include "tools/lambda_api.hpp"

#include <fmt/core.h>

namespace troupe::tools {

namespace {

constexpr uint64_t ns_per_ms = 1'000'000;
constexpr uint64_t mb_ms_per_gb_second = 1024 * 1000;

std::string milliseconds_text(uint64_t ns) {
  return decimal(ns, ns_per_ms, 3);
}

std::string start_of(const storage::usage_record& record) {
  return http::rfc3339(std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds{record.start_ns}));
}

/// The size of a function's /tmp in MB.
int64_t ephemeral_storage_of(const boost::json::object& function) {
  const auto* storage = function.if_contains("EphemeralStorage");
  return storage != nullptr && storage->is_object() ? number_at(storage->get_object(), "Size") : 0;
}

std::string max_concurrency_of(const boost::json::object& function) {
  return function.contains("MaximumConcurrency") ? std::to_string(number_at(function, "MaximumConcurrency")) : "-";
}

} // namespace

void json_list::add(const boost::json::object& element) {
  fmt::print("{}{}", is_empty_ ? "[\n  " : ",\n  ", boost::json::serialize(element));
  is_empty_ = false;
}

void json_list::end() {
  fmt::print("{}", is_empty_ ? "[]\n" : "\n]\n");
}

std::string decimal(uint64_t numerator, uint64_t denominator, unsigned decimals) {
  auto text = std::to_string(numerator / denominator);
  uint64_t rest = numerator % denominator;
  for (unsigned i = 0; i < decimals; ++i) {
    if (i == 0)
      text += '.';
    rest *= 10;
    text += static_cast<char>('0' + rest / denominator);
    rest %= denominator;
  }
  return text;
}

boost::json::object json_of(const storage::usage_record& record) {
  return {{"id", record.id.to_string()},
          {"start", start_of(record)},
          {"function", record.function},
          {"version", record.version},
          {"node", record.node},
          {"trigger", name_of(record.trigger)},
          {"status", name_of(record.status)},
          {"queued_ns", record.queued_ns},
          {"init_ns", record.init_ns},
          {"run_ns", record.run_ns},
          {"cpu_ns", record.cpu_ns},
          {"memory_limit_mb", record.memory_limit_mb},
          {"memory_peak_bytes", record.memory_peak_bytes},
          {"bytes_in", record.bytes_in},
          {"bytes_out", record.bytes_out},
          {"billed_ms", record.billed_ms},
          {"cost_pico", record.cost_pico},
          {"cost", config::format_money_aligned(record.cost_pico)}};
}

boost::json::object json_of(std::string_view function, const storage::usage_totals& totals, std::string_view currency) {
  return {{"function", function},
          {"invocations", totals.invocations},
          {"errors", totals.errors},
          {"throttled", totals.throttled},
          {"cold_starts", totals.cold_starts},
          {"run_ns", totals.run_ns},
          {"cpu_ns", totals.cpu_ns},
          {"billed_ms", totals.billed_ms},
          {"billed_mb_ms", totals.billed_mb_ms},
          {"cost_pico", totals.cost_pico},
          {"cost", config::format_money_aligned(totals.cost_pico)},
          {"currency", currency}};
}

table records_table() {
  return table{{{"START"},
                {"FUNCTION"},
                {"STATUS"},
                {"TRIGGER"},
                {"QUEUED MS", align::right},
                {"INIT MS", align::right},
                {"RUN MS", align::right},
                {"CPU MS", align::right},
                {"PEAK MIB", align::right},
                {"BILLED MS", align::right},
                {"COST", align::right},
                {"NODE"},
                {"ID"}}};
}

void add_row(table& to, const storage::usage_record& record) {
  to.add({start_of(record), record.function, std::string{name_of(record.status)}, std::string{name_of(record.trigger)},
          milliseconds_text(record.queued_ns), milliseconds_text(record.init_ns), milliseconds_text(record.run_ns),
          milliseconds_text(record.cpu_ns), decimal(record.memory_peak_bytes, limits::mib, 1),
          std::to_string(record.billed_ms), config::format_money_aligned(record.cost_pico), record.node,
          record.id.to_string()});
}

table report_table(std::string_view currency) {
  return table{{{"FUNCTION"},
                {"INVOCATIONS", align::right},
                {"ERRORS", align::right},
                {"THROTTLED", align::right},
                {"COLD", align::right},
                {"RUN MS", align::right},
                {"CPU MS", align::right},
                {"BILLED MS", align::right},
                {"GB-SECONDS", align::right},
                {fmt::format("COST {}", currency), align::right}}};
}

void add_row(table& to, std::string_view function, const storage::usage_totals& totals) {
  to.add({std::string{function}, std::to_string(totals.invocations), std::to_string(totals.errors),
          std::to_string(totals.throttled), std::to_string(totals.cold_starts), milliseconds_text(totals.run_ns),
          milliseconds_text(totals.cpu_ns), std::to_string(totals.billed_ms),
          decimal(totals.billed_mb_ms, mb_ms_per_gb_second, 6), config::format_money_aligned(totals.cost_pico)});
}

table functions_table() {
  return table{{{"NAME"},
                {"RUNTIME"},
                {"HANDLER"},
                {"MEMORY MB", align::right},
                {"TIMEOUT S", align::right},
                {"TMP MB", align::right},
                {"MAX", align::right},
                {"RESERVED", align::right},
                {"NETWORK"},
                {"CODE BYTES", align::right},
                {"MODIFIED"}}};
}

void add_row(table& to, const boost::json::object& function) {
  to.add({text_at(function, "FunctionName"), text_at(function, "Runtime"), text_at(function, "Handler"),
          std::to_string(number_at(function, "MemorySize")), std::to_string(number_at(function, "Timeout")),
          std::to_string(ephemeral_storage_of(function)), max_concurrency_of(function),
          std::to_string(number_at(function, "ReservedConcurrency")), text_at(function, "Network"),
          std::to_string(number_at(function, "CodeSize")), text_at(function, "LastModified")});
}

table function_table(const boost::json::object& function) {
  table result{{{"FIELD"}, {"VALUE"}}};
  for (const auto& [name, value] : function) {
    if (name == "Environment" && value.is_object() && value.get_object().contains("Variables")) {
      const auto& variables = value.get_object().at("Variables");
      if (variables.is_object())
        for (const auto& [variable, text] : variables.get_object())
          result.add({fmt::format("Environment {}", std::string{variable}),
                      text.is_string() ? std::string{text.get_string()} : boost::json::serialize(text)});
    } else {
      result.add({std::string{name}, value.is_string() ? std::string{value.get_string()} : serialize(value)});
    }
  }
  return result;
}

} // namespace troupe::tools
