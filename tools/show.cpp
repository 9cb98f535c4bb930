// `troupe show`: one function's configuration.
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/lambda_api.hpp"
#include "tools/render.hpp"

#include <fmt/core.h>

#include <memory>

namespace troupe::tools {

namespace {

struct show_arguments {
  explicit show_arguments(CLI::App& command) : endpoint{command}, format{command} {}

  endpoint_option endpoint;
  format_option format;
  std::string name;
};

int show(const show_arguments& given) {
  const auto client = given.endpoint.client();
  if (!client)
    return fail(client.error());
  const auto function = lambda_api{*client}.get(given.name);
  if (!function)
    return fail(function.error());
  if (given.format.value() == output_format::json)
    fmt::print("{}\n", boost::json::serialize(*function));
  else
    function_table(*function).print();
  return 0;
}

} // namespace

void add_show(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("show", "Show a function's configuration.");
  auto given = std::make_shared<show_arguments>(*command);
  command->add_option("NAME", given->name, "The function's name.")->required();
  command->footer("Examples:\n"
                  "  troupe show hello\n"
                  "  troupe show hello --format json");
  command->callback([given, &chosen] { chosen = [given] { return show(*given); }; });
}

} // namespace troupe::tools
