// `troupe deploy`: code from the disk into the node, by the Lambda API.
#include "config/errc.hpp"
#include "config/limits.hpp"
#include "config/units.hpp"
#include "tools/code_source.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/handler_finder.hpp"
#include "tools/lambda_api.hpp"

#include <fmt/core.h>

#include <memory>

namespace troupe::tools {

namespace {

struct deploy_arguments {
  explicit deploy_arguments(CLI::App& command) : endpoint{command} {}

  endpoint_option endpoint;
  std::string name;
  std::string path;
  function_options options;
  std::vector<std::string> variables;
};

caf::expected<std::map<std::string, std::string>> parse_variables(const std::vector<std::string>& all) {
  std::map<std::string, std::string> result;
  for (const auto& one : all) {
    const size_t equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      return make_error(errc::invalid_argument, fmt::format("--env: \"{}\" is not NAME=VALUE", one));
    result[one.substr(0, equals)] = one.substr(equals + 1);
  }
  return result;
}

/// Takes the handler that the code suggests, unless one is given.
caf::error choose_handler(function_options& options, const code_source& code) {
  if (options.handler)
    return {};
  auto found = code.handler();
  if (!found)
    return found.error();
  options.handler = std::move(*found);
  return {};
}

caf::expected<boost::json::object> create(const lambda_api& api, const std::string& name, function_options options,
                                          const code_source& code) {
  if (auto failure = choose_handler(options, code))
    return failure;
  if (!options.runtime)
    options.runtime = "python3";
  return api.create(name, options, code.zip);
}

/// Only what was given changes; the handler also when the new code has lost the module of the old one.
caf::expected<boost::json::object> update(const lambda_api& api, const boost::json::object& present,
                                          const std::string& name, function_options options, const code_source& code) {
  if (!has_module(text_at(present, "Handler"), code.paths))
    if (auto failure = choose_handler(options, code))
      return failure;
  auto updated = api.update_code(name, code.zip);
  return updated && !options.empty() ? api.update_configuration(name, options) : updated;
}

caf::expected<boost::json::object> create_or_update(const lambda_api& api, const deploy_arguments& given,
                                                    const function_options& options, const code_source& code) {
  auto present = api.get(given.name);
  if (!present && code_of(present.error()) == errc::function_not_found) {
    auto created = create(api, given.name, options, code);
    if (created || code_of(created.error()) != errc::function_exists)
      return created;
    present = api.get(given.name); // Somebody else was faster.
  }
  if (!present)
    return present.error();
  return update(api, *present, given.name, options, code);
}

int deploy(const deploy_arguments& given) {
  const auto client = given.endpoint.client();
  if (!client)
    return fail(client.error());
  auto options = given.options;
  if (!given.variables.empty()) {
    auto variables = parse_variables(given.variables);
    if (!variables)
      return fail(variables.error());
    options.environment = std::move(*variables);
  }
  const auto code = read_code(given.path);
  if (!code)
    return fail(code.error());
  const auto deployed = create_or_update(lambda_api{*client}, given, options, *code);
  if (!deployed)
    return fail(deployed.error());
  fmt::print("deployed {}: handler {}, runtime {}, {} MB, {} s, {} files, {} bytes packed\n",
             printable(text_at(*deployed, "FunctionName")), printable(text_at(*deployed, "Handler")),
             printable(text_at(*deployed, "Runtime")), number_at(*deployed, "MemorySize"),
             number_at(*deployed, "Timeout"), code->paths.size(), code->zip.size());
  return 0;
}

void add_limits(CLI::App& command, function_options& options) {
  const auto concurrency_fault = [](const std::string& text) {
    const auto number = config::parse_number(text);
    return text == "none" || (number && *number <= limits::concurrency_max)
           ? std::string{}
           : fmt::format("{} is neither none nor a number from 0 to {}", text, limits::concurrency_max);
  };
  command.add_option("--ephemeral-storage", options.ephemeral_storage_mb, "Room in /tmp.")
    ->check(CLI::Range(limits::ephemeral_storage_mb_min, limits::ephemeral_storage_mb_max))
    ->option_text(fmt::format("MB, {} to {} [{}]", limits::ephemeral_storage_mb_min, limits::ephemeral_storage_mb_max,
                              limits::ephemeral_storage_mb_default));
  command
    .add_option("--max-concurrency", options.concurrency_max,
                "Invocations that may run at one time; with 0 it takes none.")
    ->check(CLI::Validator{concurrency_fault, ""})
    ->option_text(fmt::format("none, or 0 to {} [none]", limits::concurrency_max));
  command
    .add_option("--reserved-concurrency", options.concurrency_reserved,
                "Sandboxes of the node that no other function may take.")
    ->check(CLI::Range(0U, limits::concurrency_max))
    ->option_text(fmt::format("0 to {} [0]", limits::concurrency_max));
  command.add_option("--network", options.network, "What it reaches: nothing, or the world outside.")
    ->check(CLI::IsMember({"none", "egress"}))
    ->option_text("none|egress [none]");
  command.add_flag("--idempotent,!--no-idempotent", options.idempotent,
                   "Running an event twice does no harm: when its node is lost, another runs it again.");
}

} // namespace

void add_deploy(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("deploy", "Deploy a function, or update it.");
  auto given = std::make_shared<deploy_arguments>(*command);
  command->add_option("NAME", given->name, "The function's name.")->required();
  command->add_option("PATH", given->path, "A directory, a .py file or a .zip.")->required();
  command->add_option("--handler", given->options.handler, "Where it begins; found by file names when not given.")
    ->type_name("MODULE.CALLABLE");
  command->add_option("--runtime", given->options.runtime, "The language it runs in.")->option_text("NAME [python3]");
  command->add_option("--memory", given->options.memory_mb, "Memory limit.")
    ->check(CLI::Range(limits::memory_mb_min, limits::memory_mb_max))
    ->option_text(
      fmt::format("MB, {} to {} [{}]", limits::memory_mb_min, limits::memory_mb_max, limits::memory_mb_default));
  command->add_option("--timeout", given->options.timeout_s, "Time limit of an invocation.")
    ->check(CLI::Range(limits::timeout_s_min, limits::timeout_s_max))
    ->option_text(
      fmt::format("S, {} to {} [{}]", limits::timeout_s_min, limits::timeout_s_max, limits::timeout_s_default));
  add_limits(*command, given->options);
  command->add_option("--env", given->variables, "Variables of its environment; several may follow one another.")
    ->allow_extra_args(true)
    ->type_name("NAME=VALUE");
  command->footer("Without --handler it takes f.f, lambda_function.lambda_handler, handler.handler or app.handler,\n"
                  "whichever file is there first; of a single .py file its f, lambda_handler or handler.\n"
                  "Deploying again replaces the code and, of the options, only those that are given; --env replaces\n"
                  "all variables. What runs already ends with the code that it began with.\n\n"
                  "Examples:\n"
                  "  troupe deploy hello handlers/examples/hello\n"
                  "  troupe deploy resize resize.zip --handler resize.main --memory 512 --timeout 30\n"
                  "  troupe deploy greet greet.py --env LANGUAGE=de COLOUR=no\n"
                  "  troupe deploy crawl crawl.py --tenant acme --network egress --max-concurrency 10");
  command->callback([given, &chosen] { chosen = [given] { return deploy(*given); }; });
}

} // namespace troupe::tools
