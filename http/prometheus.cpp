#include "http/prometheus.hpp"

namespace troupe::http {

namespace {

/// A label's value: backslash, quote and line feed are escaped; everything else may stand as it is.
void append_label(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"')
      out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
}

void add_functions(exposition& out, const std::vector<function_metrics>& functions) {
  out.family("troupe_invocations_total", "counter", "Invocations that have ended, by tenant, function and status.");
  for (const auto& f : functions)
    for (size_t status = 0; status < f.by_status.size(); ++status)
      if (f.by_status[status] > 0)
        out.sample(
          {{"tenant", f.tenant}, {"function", f.function}, {"status", name_of(static_cast<invocation_status>(status))}},
          f.by_status[status]);
  out.family("troupe_invocation_queue_seconds", "histogram", "Time between a request's arrival and its sandbox.");
  for (const auto& f : functions)
    out.sample(f, f.queue);
  out.family("troupe_invocation_init_seconds", "histogram",
             "Time to make a sandbox and load the handler (cold starts).");
  for (const auto& f : functions)
    out.sample(f, f.init);
  out.family("troupe_invocation_run_seconds", "histogram", "Time inside the handler.");
  for (const auto& f : functions)
    out.sample(f, f.run);
}

void add_worker(exposition& out, const worker_status& worker) {
  out.family("troupe_sandboxes", "gauge", "Sandboxes by state.");
  out.sample({{"state", "starting"}}, worker.starting);
  out.sample({{"state", "idle"}}, worker.idle);
  out.sample({{"state", "busy"}}, worker.busy);
  out.sample({{"state", "stopping"}}, worker.stopping);
  out.family("troupe_templates", "gauge", "Processes that have loaded a handler and are copied for further sandboxes.");
  out.sample({}, worker.templates);
  out.family("troupe_blank_sandboxes", "gauge", "Sandboxes made ahead, without a function yet.");
  out.sample({}, worker.blanks);
  out.family("troupe_zygotes", "gauge",
             "Processes with packages loaded, besides the bare one, that sandboxes are cloned from.");
  out.sample({}, worker.zygotes);
  out.family("troupe_zygote_memory_bytes", "gauge", "What those hold, measured as each was made.");
  out.sample({}, worker.zygote_bytes);
  out.family("troupe_memory_used_bytes", "gauge",
             "What sandboxes count for in the memory budget: their limits, or what they hold while they stand still.");
  out.sample({}, worker.memory_used_bytes);
  out.family("troupe_memory_budget_bytes", "gauge", "Memory that sandboxes may have in all.");
  out.sample({}, worker.memory_budget_bytes);
  out.family("troupe_queue_length", "gauge", "Invocations that wait for a sandbox.");
  out.sample({}, worker.waiting);
  out.family("troupe_ready", "gauge", "1 when the node takes invocations.");
  out.sample({}, worker.ready ? 1 : 0);
}

void add_traffic(exposition& out, const traffic& counts) {
  out.family("troupe_http_connections", "gauge", "Open HTTP connections.");
  out.sample({}, counts.connections_open);
  out.family("troupe_http_connections_total", "counter", "HTTP connections accepted.");
  out.sample({}, counts.connections_total);
  out.family("troupe_http_connections_refused_total", "counter", "HTTP connections refused at the limit.");
  out.sample({}, counts.connections_refused);
  out.family("troupe_http_requests_total", "counter", "HTTP requests answered, by status code.");
  for (size_t status = 0; status < counts.answers.size(); ++status)
    if (counts.answers[status] > 0)
      out.sample({{"code", std::to_string(status)}}, counts.answers[status]);
}

} // namespace

std::string decimal_seconds(uint64_t ns) {
  auto fraction = std::to_string(ns % 1'000'000'000);
  fraction.insert(0, 9 - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  auto text = std::to_string(ns / 1'000'000'000);
  return fraction.empty() ? text : text + "." + fraction;
}

void exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  out_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  out_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void exposition::line(std::string_view suffix, labels which, std::string_view value) {
  out_.append(name_).append(suffix);
  char before = '{';
  for (const auto& [name, text] : which) {
    out_ += before;
    out_.append(name).append("=\"");
    append_label(out_, text);
    out_ += '"';
    before = ',';
  }
  if (which.size() > 0)
    out_ += '}';
  out_.append(" ").append(value).append("\n");
}

void exposition::sample(labels which, uint64_t value) {
  line("", which, std::to_string(value));
}

void exposition::sample(const function_metrics& of, const histogram& durations) {
  uint64_t count = 0;
  for (size_t i = 0; i <= latency_bounds_ns.size(); ++i) {
    if (i < durations.counts.size())
      count += durations.counts[i];
    const auto bound = i < latency_bounds_ns.size() ? decimal_seconds(latency_bounds_ns[i]) : std::string{"+Inf"};
    line("_bucket", {{"tenant", of.tenant}, {"function", of.function}, {"le", bound}}, std::to_string(count));
  }
  line("_sum", {{"tenant", of.tenant}, {"function", of.function}}, decimal_seconds(durations.sum_ns));
  line("_count", {{"tenant", of.tenant}, {"function", of.function}}, std::to_string(count));
}

std::string metrics_document(const node_context& node, const worker_status& worker,
                             const std::vector<function_metrics>& functions) {
  exposition out;
  out.family("troupe_build_info", "gauge", "The program's version; the value is always 1.");
  out.sample({{"version", node.program_version}}, 1);
  add_functions(out, functions);
  add_worker(out, worker);
  add_traffic(out, *node.counts);
  return out.take();
}

} // namespace troupe::http
