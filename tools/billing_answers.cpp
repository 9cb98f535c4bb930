// From the JSON of a node's billing routes to the records they stand for.
#include "config/errc.hpp"
#include "tools/billing_source.hpp"
#include "tools/time_text.hpp"

#include <fmt/core.h>

#include <array>

namespace troupe::tools {

namespace {

namespace json = boost::json;

/// Takes fields out of an object and remembers the first that is not as it should be.
class fields {
public:
  explicit fields(const json::value& from) : object_{from.if_object()} {
    if (object_ == nullptr)
      fault_ = "object";
  }
  explicit fields(const json::object& from) : object_{&from} {}

  uint64_t number(std::string_view name) {
    const auto* value = find(name);
    boost::system::error_code unfit;
    const auto result = value == nullptr ? 0 : value->to_number<uint64_t>(unfit);
    return unfit ? (blame(name), 0) : result;
  }

  std::string text(std::string_view name) {
    const auto* value = find(name);
    if (value != nullptr && value->is_string())
      return std::string{value->get_string()};
    blame(name);
    return {};
  }

  const json::array& list(std::string_view name) {
    static const json::array none;
    const auto* value = find(name);
    if (value != nullptr && value->is_array())
      return value->get_array();
    blame(name);
    return none;
  }

  unix_ms time(std::string_view name) {
    const auto moment = parse_time(text(name), unix_ms{});
    if (!moment)
      blame(name);
    return moment ? *moment : unix_ms{};
  }

  uuid id(std::string_view name) {
    const auto result = uuid::parse(text(name));
    if (!result)
      blame(name);
    return result.value_or(uuid{});
  }

  /// The enumerator whose name stands in the field.
  template <class Enum, size_t Size>
  Enum word(std::string_view name, const std::array<Enum, Size>& among) {
    const auto word = text(name);
    for (const auto one : among)
      if (name_of(one) == word)
        return one;
    blame(name);
    return among.front();
  }

  bool flag(std::string_view name) {
    const auto* value = find(name);
    if (value != nullptr && value->is_bool())
      return value->get_bool();
    blame(name);
    return false;
  }

  bool has(std::string_view name) const { return object_ != nullptr && object_->contains(name); }

  caf::error error() const {
    if (fault_.empty())
      return {};
    return make_error(errc::unavailable, fmt::format("the node's answer has no usable {}", fault_));
  }

private:
  const json::value* find(std::string_view name) {
    const auto* value = object_ == nullptr ? nullptr : object_->if_contains(name);
    if (value == nullptr)
      blame(name);
    return value;
  }

  void blame(std::string_view name) {
    if (fault_.empty())
      fault_ = fmt::format("\"{}\"", name);
  }

  const json::object* object_;
  std::string fault_;
};

using storage::invocation_status;
using storage::trigger_kind;

constexpr std::array statuses{invocation_status::ok,    invocation_status::error,         invocation_status::timeout,
                              invocation_status::crash, invocation_status::out_of_memory, invocation_status::throttled};
constexpr std::array triggers{trigger_kind::http, trigger_kind::api};

storage::usage_row read_row(fields& in) {
  storage::usage_row row;
  row.function = in.text("function");
  row.hour = std::chrono::floor<std::chrono::hours>(in.time("hour").time_since_epoch()).count();
  row.totals.invocations = in.number("invocations");
  row.totals.errors = in.number("errors");
  row.totals.throttled = in.number("throttled");
  row.totals.cold_starts = in.number("cold_starts");
  row.totals.run_ns = in.number("run_ns");
  row.totals.cpu_ns = in.number("cpu_ns");
  row.totals.billed_ms = in.number("billed_ms");
  row.totals.billed_mb_ms = in.number("billed_mb_ms");
  row.totals.cost_pico = in.number("cost_pico");
  return row;
}

storage::usage_record read_record(fields& in) {
  storage::usage_record record;
  record.id = in.id("id");
  record.function = in.text("function");
  record.version = in.text("version");
  record.node = in.text("node");
  record.trigger = in.word("trigger", triggers);
  record.status = in.word("status", statuses);
  record.start_ns = std::chrono::nanoseconds{in.time("start").time_since_epoch()}.count();
  record.queued_ns = in.number("queued_ns");
  record.init_ns = in.number("init_ns");
  record.run_ns = in.number("run_ns");
  record.cpu_ns = in.number("cpu_ns");
  record.memory_limit_mb = static_cast<uint32_t>(in.number("memory_limit_mb"));
  record.memory_peak_bytes = in.number("memory_peak_bytes");
  record.bytes_in = in.number("bytes_in");
  record.bytes_out = in.number("bytes_out");
  record.billed_ms = in.number("billed_ms");
  record.cost_pico = in.number("cost_pico");
  return record;
}

/// The nodes whose part is missing. A node of an earlier version names none.
caf::expected<std::vector<absent_node>> read_absent(fields& in) {
  std::vector<absent_node> absent;
  if (!in.has("nodes"))
    return absent;
  for (const auto& value : in.list("nodes")) {
    fields node{value};
    absent_node read{node.text("name"), {}};
    if (!node.flag("answered")) {
      read.reason = node.text("reason");
      absent.push_back(std::move(read));
    }
    if (auto failure = node.error())
      return failure;
  }
  return absent;
}

} // namespace

caf::expected<usage_answer> read_usage(const json::object& document) {
  fields in{document};
  usage_answer result;
  result.currency = in.text("currency");
  for (const auto& value : in.list("rows")) {
    fields row{value};
    result.rows.push_back(read_row(row));
    if (auto failure = row.error())
      return failure;
  }
  auto absent = read_absent(in);
  if (!absent)
    return std::move(absent.error());
  result.absent = std::move(*absent);
  if (auto failure = in.error())
    return failure;
  return result;
}

caf::expected<records_page> read_records(const json::object& document) {
  fields in{document};
  records_page result;
  for (const auto& value : in.list("records")) {
    fields record{value};
    result.records.push_back(read_record(record));
    if (auto failure = record.error())
      return failure;
  }
  if (in.has("next"))
    result.next = in.id("next");
  auto absent = read_absent(in);
  if (!absent)
    return std::move(absent.error());
  result.absent = std::move(*absent);
  if (auto failure = in.error())
    return failure;
  return result;
}

caf::expected<verify_answer> read_verify(const json::object& document) {
  fields in{document};
  verify_answer result;
  result.report.records = in.number("records");
  result.report.rows = in.number("rows");
  for (const auto& value : in.list("faults"))
    result.report.faults.push_back(value.is_string() ? std::string{value.get_string()} : json::serialize(value));
  auto absent = read_absent(in);
  if (!absent)
    return std::move(absent.error());
  result.absent = std::move(*absent);
  if (auto failure = in.error())
    return failure;
  return result;
}

} // namespace troupe::tools
