// `troupe invoke`: one invocation, by the Lambda API.
#include "config/limits.hpp"
#include "tools/code_source.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/lambda_api.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <memory>

namespace troupe::tools {

namespace {

/// The exit code when the function itself failed: the platform did its part, so that none of its errors fits.
constexpr int function_failed_exit = 1;

struct invoke_arguments {
  explicit invoke_arguments(CLI::App& command) : endpoint{command} {}

  endpoint_option endpoint;
  std::string name;
  std::string event = "{}";
  std::string file;
  invoke_options how;
};

/// Prints a text of several lines to stderr, each made safe for the terminal.
void print_lines(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line{text.substr(0, end)};
    std::replace(line.begin(), line.end(), '\t', ' '); // A tab is harmless, and REPORT lines have many.
    fmt::print(stderr, "{}\n", printable(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Explains what the function failed with; the stack trace only for those who want to see the log.
int report_failure(const invoke_answer& answer, bool wants_log) {
  boost::system::error_code malformed;
  const auto parsed = boost::json::parse(answer.payload, malformed);
  const auto document = !malformed && parsed.is_object() ? parsed.get_object() : boost::json::object{};
  if (const auto* trace = document.if_contains("stackTrace"); wants_log && trace != nullptr && trace->is_array())
    for (const auto& line : trace->get_array())
      if (line.is_string())
        print_lines(std::string_view{line.get_string()});
  const auto type = text_at(document, "errorType");
  const auto message = text_at(document, "errorMessage");
  if (type.empty() && message.empty())
    note(answer.payload);
  else
    note(type.empty() ? message : fmt::format("{}: {}", type, message));
  return function_failed_exit;
}

int invoke(const invoke_arguments& given) {
  const auto client = given.endpoint.client();
  if (!client)
    return fail(client.error());
  auto event =
    given.file.empty() ? caf::expected<std::string>{given.event} : read_input(given.file, limits::payload_bytes_max);
  if (!event)
    return fail(event.error());
  const auto answer = lambda_api{*client}.invoke(given.name, std::move(*event), given.how);
  if (!answer)
    return fail(answer.error());
  print_lines(answer->log);
  if (answer->has_failed)
    return report_failure(*answer, given.how.wants_log);
  fmt::print("{}{}", answer->payload, answer->payload.ends_with('\n') ? "" : "\n");
  return 0;
}

} // namespace

void add_invoke(CLI::App& program, action& chosen) {
  const auto key_fault = [](const std::string& key) {
    const bool fits = !key.empty() && key.size() <= limits::idempotency_key_bytes_max
                   && std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; });
    return fits ? std::string{}
                : fmt::format("must be 1 to {} printable characters without spaces", limits::idempotency_key_bytes_max);
  };
  auto* command = program.add_subcommand("invoke", "Run a function once and print its answer.");
  auto given = std::make_shared<invoke_arguments>(*command);
  command->add_option("NAME", given->name, "The function's name.")->required();
  auto* data = command->add_option("-d,--data", given->event, "The event.")->type_name("JSON")->capture_default_str();
  command->add_option("-f,--file", given->file, "Read the event from a file; - is standard input.")
    ->type_name("FILE")
    ->excludes(data);
  command->add_flag("--tail", given->how.wants_log, "Print the end of the invocation's log on stderr.");
  command
    ->add_option("--idempotency-key", given->how.idempotency_key,
                 "Sent along: when the node that runs it is lost, another may run it again.")
    ->type_name("KEY")
    ->check(CLI::Validator{key_fault, ""});
  command->footer(
    "The answer goes to stdout. When the function fails, its error goes to stderr and the exit code is 1.\n\n"
    "Examples:\n"
    "  troupe invoke hello\n"
    "  troupe invoke echo -d '{\"a\": 1}' --tail\n"
    "  echo '{\"prefix\": \"tr\"}' | troupe invoke autocomplete -f -");
  command->callback([given, &chosen] { chosen = [given] { return invoke(*given); }; });
}

} // namespace troupe::tools
