#include "http/lambda_json.hpp"

#include "http/lambda_names.hpp"
#include "http/time_text.hpp"

#include <boost/json/array.hpp>

namespace troupe::http {

namespace json = boost::json;

namespace {

json::string_view view(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

} // namespace

json::object function_configuration(const storage::function_version& function) {
  const auto& config = function.config;
  json::object out;
  out["FunctionName"] = config.name;
  out["FunctionArn"] = function_arn(config.name);
  out["Runtime"] = config.runtime;
  out["Role"] = config.role;
  out["Handler"] = config.handler;
  out["CodeSize"] = function.bundle_bytes;
  out["Description"] = config.description;
  out["Timeout"] = config.timeout_s;
  out["MemorySize"] = config.memory_mb;
  out["LastModified"] = aws_time(std::chrono::milliseconds{function.modified_ms});
  out["CodeSha256"] = function.bundle.base64();
  out["Version"] = function.version;
  if (!config.environment.empty()) {
    json::object variables;
    for (const auto& [name, value] : config.environment)
      variables[view(name)] = value;
    out["Environment"] = json::object{{"Variables", std::move(variables)}};
  }
  out["TracingConfig"] = json::object{{"Mode", "PassThrough"}};
  out["RevisionId"] = function.revision.to_string();
  out["State"] = "Active";
  out["LastUpdateStatus"] = "Successful";
  out["PackageType"] = "Zip";
  out["Architectures"] = json::array{view(architecture)};
  out["EphemeralStorage"] = json::object{{"Size", config.ephemeral_storage_mb}};
  // The platform's own: AWS's clients pass over what they do not know.
  out["Network"] = view(name_of(config.network));
  if (config.concurrency_max != storage::concurrency_unset)
    out["MaximumConcurrency"] = config.concurrency_max;
  if (config.concurrency_reserved > 0)
    out["ReservedConcurrency"] = config.concurrency_reserved;
  if (config.idempotent)
    out["Idempotent"] = true;
  return out;
}

json::object function_concurrency(const storage::function_version& function) {
  const auto& config = function.config;
  json::object out;
  if (config.concurrency_reserved > 0 || config.concurrency_max == 0)
    out["ReservedConcurrentExecutions"] = config.concurrency_reserved;
  return out;
}

json::object function_document(const storage::function_version& function, std::string_view location) {
  json::object out;
  out["Configuration"] = function_configuration(function);
  out["Code"] = json::object{{"RepositoryType", "S3"}, {"Location", view(location)}};
  if (auto concurrency = function_concurrency(function); !concurrency.empty())
    out["Concurrency"] = std::move(concurrency);
  return out;
}

} // namespace troupe::http
