#include "http/lambda_input.hpp"

#include "config/errc.hpp"
#include "config/ids.hpp"
#include "config/limits.hpp"
#include "http/json_fields.hpp"
#include "http/lambda_json.hpp"
#include "http/lambda_names.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

namespace troupe::http {

namespace {

namespace json = boost::json;

constexpr size_t role_bytes_max = 256;
constexpr std::string_view runtimes[] = {"python3",    "python3.9",  "python3.10",
                                         "python3.11", "python3.12", "python3.13"};

/// Members that ask for what this node has not. A client may send the one value that means "without".
struct absent_feature {
  std::string_view member;
  std::string_view without; ///< JSON, or empty: only empty values
};

constexpr absent_feature absent_features[] = {
  {"VpcConfig", {}},
  {"DeadLetterConfig", {}},
  {"KMSKeyArn", {}},
  {"Tags", {}},
  {"Layers", {}},
  {"FileSystemConfigs", {}},
  {"ImageConfig", {}},
  {"CodeSigningConfigArn", {}},
  {"CapacityProviderConfig", {}},
  {"DurableConfig", {}},
  {"TenancyConfig", {}},
  {"PublishTo", {}},
  {"TracingConfig", R"({"Mode":"PassThrough"})"},
  {"SnapStart", R"({"ApplyOn":"None"})"},
  {"LoggingConfig", R"({"LogFormat":"Text"})"},
};

bool is_empty(const json::value& value) {
  if (const auto* object = value.if_object())
    return std::all_of(object->begin(), object->end(), [](const auto& member) { return is_empty(member.value()); });
  if (const auto* array = value.if_array())
    return array->empty();
  if (const auto* text = value.if_string())
    return text->empty();
  return value.is_null();
}

void refuse_absent_features(json_fields& fields) {
  for (const auto& [member, without] : absent_features) {
    const auto* value = fields.find(member);
    if (!value || is_empty(*value))
      continue;
    if (without.empty() || *value != json::parse({without.data(), without.size()}))
      fields.refuse(member, "is not supported");
  }
  if (fields.flag("Publish"))
    fields.refuse("Publish", "is not supported: a function has the version $LATEST only");
}

void check_architectures(json_fields& fields) {
  const auto* value = fields.find("Architectures");
  const json::value ours = json::array{json::string_view{architecture.data(), architecture.size()}};
  if (value && !is_empty(*value) && *value != ours)
    fields.refuse("Architectures", std::string{"must be [\""}.append(architecture).append("\"] on this node"));
}

bool is_identifier(std::string_view text) noexcept {
  const auto inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') && std::all_of(text.begin(), text.end(), inner);
}

/// module.callable, where the module is a path of names with `.` or `/` between them. A name may hold hyphens, as
/// file names do.
bool is_handler(std::string_view text) {
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos || !is_identifier(text.substr(dot + 1)))
    return false;
  auto module = std::string{text.substr(0, dot)};
  std::replace(module.begin(), module.end(), '-', '_');
  for (std::string_view rest = module;;) {
    const auto end = rest.find_first_of("./");
    if (!is_identifier(rest.substr(0, end)))
      return false;
    if (end == std::string_view::npos)
      return true;
    rest.remove_prefix(end + 1);
  }
}

caf::optional<std::string> read_runtime(json_fields& fields) {
  auto runtime = fields.text("Runtime", limits::handler_bytes_max);
  if (!runtime)
    return caf::none;
  if (std::find(std::begin(runtimes), std::end(runtimes), *runtime) == std::end(runtimes)) {
    fields.refuse("Runtime", "must be python3 (python3.9 to python3.13 are taken for it)");
    return caf::none;
  }
  return std::string{runtimes[0]};
}

caf::optional<std::string> read_handler(json_fields& fields) {
  auto handler = fields.text("Handler", limits::handler_bytes_max);
  if (handler && !is_handler(*handler)) {
    fields.refuse("Handler", "must be module.callable");
    return caf::none;
  }
  return handler;
}

/// What the platform sets itself, as in AWS: a function must not be told otherwise.
bool is_reserved(std::string_view name) noexcept {
  constexpr std::string_view reserved[] = {"_HANDLER",          "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION",
                                           "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"};
  return name.starts_with("AWS_LAMBDA_")
      || std::find(std::begin(reserved), std::end(reserved), name) != std::end(reserved);
}

caf::optional<std::map<std::string, std::string>> read_environment(json_fields& fields) {
  const auto* environment = fields.object("Environment");
  if (!environment)
    return caf::none;
  std::map<std::string, std::string> result;
  size_t bytes = 0;
  json_fields inner{*environment};
  const auto* variables = inner.object("Variables");
  fields.refuse(inner.problem());
  if (!variables)
    return result;
  for (const auto& member : *variables) {
    const std::string name{member.key().data(), member.key().size()};
    const auto* value = member.value().if_string();
    if (!is_identifier(name) || name[0] == '_' || is_reserved(name))
      fields.refuse("Environment", "names must be [a-zA-Z][a-zA-Z0-9_]* and not reserved for the platform");
    else if (!value || value->find('\0') != json::string::npos)
      fields.refuse("Environment", "values must be strings without zero bytes");
    else
      bytes += name.size() + value->size();
    if (fields.problem())
      return caf::none;
    result.emplace(name, std::string{value->data(), value->size()});
  }
  if (bytes > limits::environment_bytes_max)
    fields.refuse("Environment",
                  "must have at most " + std::to_string(limits::environment_bytes_max) + " bytes in all");
  return result;
}

caf::optional<uint32_t> read_ephemeral_storage(json_fields& fields) {
  const auto* storage = fields.object("EphemeralStorage");
  if (!storage)
    return caf::none;
  json_fields inner{*storage};
  auto size = inner.number("Size", limits::ephemeral_storage_mb_min, limits::ephemeral_storage_mb_max);
  if (inner.problem())
    fields.refuse("EphemeralStorage", what_of(inner.problem()));
  else if (!size)
    fields.refuse("EphemeralStorage", "must have a Size");
  return size;
}

/// The platform's own members, which AWS's API has not or has elsewhere.
void read_own_members(json_fields& fields, function_change& change) {
  if (auto network = fields.text("Network", 16)) {
    if (*network == name_of(network_access::none))
      change.network = network_access::none;
    else if (*network == name_of(network_access::egress))
      change.network = network_access::egress;
    else
      fields.refuse("Network", "must be none or egress");
  }
  if (const auto* max = fields.find("MaximumConcurrency"); max && *max == "none")
    change.concurrency_max = storage::concurrency_unset;
  else
    change.concurrency_max = fields.number("MaximumConcurrency", 0, limits::concurrency_max);
  change.concurrency_reserved = fields.number("ReservedConcurrency", 0, limits::concurrency_max);
  if (fields.find("Idempotent"))
    change.idempotent = fields.flag("Idempotent");
}

caf::optional<uuid> read_revision(json_fields& fields) {
  const auto text = fields.text("RevisionId", limits::handler_bytes_max);
  if (!text)
    return caf::none;
  if (const auto id = uuid::parse(*text))
    return *id;
  fields.refuse(make_error(errc::conflict, "RevisionId is not that of the function"));
  return caf::none;
}

/// The archive inside `holder`, which is named `path` to the client.
std::string read_zip(json_fields& fields, const json::object& holder, const std::string& path) {
  const auto* value = holder.if_contains("ZipFile");
  const auto* text = value ? value->if_string() : nullptr;
  if (!text || text->empty()) {
    fields.refuse(path, "must hold the archive in base64: other sources are not supported");
    return {};
  }
  auto zip = base64_decode({text->data(), text->size()});
  if (!zip)
    fields.refuse(path, "is not base64");
  else if (zip->size() > limits::archive_bytes_max)
    fields.refuse(make_error(errc::payload_too_large,
                             path + " is larger than " + std::to_string(limits::archive_bytes_max) + " bytes"));
  return zip ? std::move(*zip) : std::string{};
}

} // namespace

caf::expected<create_input> parse_create(std::string_view body) {
  auto document = parse_object(body);
  if (!document)
    return std::move(document.error());
  json_fields fields{*document};
  create_input input;
  auto& config = input.config;
  if (auto name = fields.text("FunctionName", 140); !name) {
    fields.refuse("FunctionName", "is missing");
  } else if (auto ref = parse_function_ref(*name, {}); !ref) {
    fields.refuse(std::move(ref.error()));
  } else {
    config.name = std::move(ref->name);
    if (!ref->qualifier.empty())
      fields.refuse("FunctionName", "must be without a qualifier");
  }
  if (auto type = fields.text("PackageType", 16); type && *type != "Zip")
    fields.refuse("PackageType", "must be Zip");
  auto runtime = read_runtime(fields);
  auto handler = read_handler(fields);
  if (!runtime)
    fields.refuse("Runtime", "is missing");
  else
    config.runtime = std::move(*runtime);
  if (!handler)
    fields.refuse("Handler", "is missing");
  else
    config.handler = std::move(*handler);
  config.description = fields.text("Description", limits::description_bytes_max).value_or("");
  config.role = fields.text("Role", role_bytes_max).value_or("");
  config.memory_mb =
    fields.number("MemorySize", limits::memory_mb_min, limits::memory_mb_max).value_or(limits::memory_mb_default);
  config.timeout_s =
    fields.number("Timeout", limits::timeout_s_min, limits::timeout_s_max).value_or(limits::timeout_s_default);
  if (auto environment = read_environment(fields))
    config.environment = std::move(*environment);
  config.ephemeral_storage_mb = read_ephemeral_storage(fields).value_or(limits::ephemeral_storage_mb_default);
  function_change own;
  read_own_members(fields, own);
  config.network = own.network.value_or(network_access::none);
  config.concurrency_max = own.concurrency_max.value_or(storage::concurrency_unset);
  config.concurrency_reserved = own.concurrency_reserved.value_or(0U);
  config.idempotent = own.idempotent.value_or(false);
  check_architectures(fields);
  refuse_absent_features(fields);
  if (const auto* code = fields.object("Code"))
    input.zip = read_zip(fields, *code, "Code.ZipFile");
  else
    fields.refuse("Code", "is missing");
  if (fields.problem())
    return fields.problem();
  return input;
}

caf::expected<function_change> parse_configuration(std::string_view body) {
  auto document = parse_object(body.empty() ? "{}" : body);
  if (!document)
    return std::move(document.error());
  json_fields fields{*document};
  function_change change;
  change.handler = read_handler(fields);
  change.runtime = read_runtime(fields);
  change.description = fields.text("Description", limits::description_bytes_max);
  change.role = fields.text("Role", role_bytes_max);
  change.memory_mb = fields.number("MemorySize", limits::memory_mb_min, limits::memory_mb_max);
  change.timeout_s = fields.number("Timeout", limits::timeout_s_min, limits::timeout_s_max);
  change.environment = read_environment(fields);
  change.ephemeral_storage_mb = read_ephemeral_storage(fields);
  read_own_members(fields, change);
  change.expected_revision = read_revision(fields);
  refuse_absent_features(fields);
  if (fields.problem())
    return fields.problem();
  return change;
}

caf::expected<function_change> parse_concurrency(std::string_view body) {
  auto document = parse_object(body);
  if (!document)
    return std::move(document.error());
  json_fields fields{*document};
  const auto count = fields.number("ReservedConcurrentExecutions", 0, limits::concurrency_max);
  if (!count)
    fields.refuse("ReservedConcurrentExecutions", "is missing");
  if (fields.problem())
    return fields.problem();
  function_change change;
  change.concurrency_max = *count;
  change.concurrency_reserved = *count;
  return change;
}

caf::expected<code_input> parse_code(std::string_view body) {
  auto document = parse_object(body);
  if (!document)
    return std::move(document.error());
  json_fields fields{*document};
  code_input input;
  input.dry_run = fields.flag("DryRun");
  input.change.expected_revision = read_revision(fields);
  check_architectures(fields);
  refuse_absent_features(fields);
  input.change.zip = read_zip(fields, *document, "ZipFile");
  if (fields.problem())
    return fields.problem();
  return input;
}

caf::expected<std::string> parse_client_context(std::string_view base64) {
  auto text = base64.size() <= limits::client_context_bytes_max ? base64_decode(base64) : std::nullopt;
  if (!text || !parse_object(*text))
    return make_error(errc::invalid_payload, "X-Amz-Client-Context must be a JSON object in base64, of at most "
                                               + std::to_string(limits::client_context_bytes_max) + " bytes");
  return std::move(*text);
}

} // namespace troupe::http
