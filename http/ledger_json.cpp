#include "http/ledger_json.hpp"

#include "http/json_text.hpp"
#include "http/time_text.hpp"

#include <charconv>
#include <chrono>

namespace troupe::http {

namespace {

/// Writes the members of one object; the commas are its business.
class object_writer {
public:
  explicit object_writer(std::string& out) : out_{out} { out_ += '{'; }

  object_writer& add(std::string_view name, std::string_view value) {
    begin(name);
    append_json(out_, value);
    return *this;
  }

  object_writer& add(std::string_view name, uint64_t value) {
    begin(name);
    char digits[20];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    return *this;
  }

  object_writer& add_flag(std::string_view name, bool value) {
    begin(name);
    out_ += value ? "true" : "false";
    return *this;
  }

  void end() { out_ += '}'; }

private:
  void begin(std::string_view name) {
    if (out_.back() != '{')
      out_ += ',';
    append_json(out_, name);
    out_ += ':';
  }

  std::string& out_;
};

void append_row(std::string& out, const storage::usage_row& row) {
  const auto& totals = row.totals;
  object_writer{out}
    .add("function", row.function)
    .add("hour", rfc3339_hour(row.hour))
    .add("invocations", totals.invocations)
    .add("errors", totals.errors)
    .add("throttled", totals.throttled)
    .add("cold_starts", totals.cold_starts)
    .add("run_ns", totals.run_ns)
    .add("cpu_ns", totals.cpu_ns)
    .add("billed_ms", totals.billed_ms)
    .add("billed_mb_ms", totals.billed_mb_ms)
    .add("cost_pico", totals.cost_pico)
    .end();
}

void append_record(std::string& out, const storage::usage_record& record) {
  const std::chrono::nanoseconds start{record.start_ns};
  object_writer{out}
    .add("id", record.id.to_string())
    .add("start", rfc3339(std::chrono::floor<std::chrono::milliseconds>(start)))
    .add("function", record.function)
    .add("version", record.version)
    .add("node", record.node)
    .add("trigger", name_of(record.trigger))
    .add("status", name_of(record.status))
    .add("queued_ns", record.queued_ns)
    .add("init_ns", record.init_ns)
    .add("run_ns", record.run_ns)
    .add("cpu_ns", record.cpu_ns)
    .add("memory_limit_mb", record.memory_limit_mb)
    .add("memory_peak_bytes", record.memory_peak_bytes)
    .add("bytes_in", record.bytes_in)
    .add("bytes_out", record.bytes_out)
    .add("billed_ms", record.billed_ms)
    .add("cost_pico", record.cost_pico)
    .end();
}

void append_share(std::string& out, const ledger_share& share) {
  object_writer node{out};
  node.add("name", share.node).add_flag("answered", share.problem.empty());
  if (!share.problem.empty())
    node.add("reason", share.problem);
  node.end();
}

/// The member `name`: an array of the values, each written by `append`. The comma before it is its business.
template <class T>
void append_array(std::string& out, std::string_view name, const std::vector<T>& values,
                  void (*append)(std::string&, const T&)) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0)
      out += ',';
    append(out, values[i]);
  }
  out += ']';
}

} // namespace

std::string usage_document(std::string_view currency, const std::vector<storage::usage_row>& rows,
                           const std::vector<ledger_share>& nodes) {
  std::string out = "{\"currency\":";
  append_json(out, currency);
  append_array(out, "rows", rows, append_row);
  append_array(out, "nodes", nodes, append_share);
  out += '}';
  return out;
}

std::string records_document(const std::vector<storage::usage_record>& records, const std::optional<uuid>& next,
                             const std::vector<ledger_share>& nodes) {
  std::string out = "{";
  append_array(out, "records", records, append_record);
  if (next) {
    out += ",\"next\":";
    append_json(out, next->to_string());
  }
  append_array(out, "nodes", nodes, append_share);
  out += '}';
  return out;
}

std::string verify_document(const storage::verify_report& report, const std::vector<ledger_share>& nodes) {
  std::string out = "{\"records\":" + std::to_string(report.records) + ",\"rows\":" + std::to_string(report.rows);
  append_array<std::string>(out, "faults", report.faults,
                            [](std::string& to, const std::string& fault) { append_json(to, fault); });
  append_array(out, "nodes", nodes, append_share);
  out += '}';
  return out;
}

} // namespace troupe::http
