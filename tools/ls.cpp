// `troupe ls`: the functions of a node.
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/lambda_api.hpp"
#include "tools/render.hpp"

#include <memory>

namespace troupe::tools {

namespace {

struct ls_arguments {
  explicit ls_arguments(CLI::App& command) : endpoint{command}, format{command} {}

  endpoint_option endpoint;
  format_option format;
};

int ls(const ls_arguments& given) {
  const auto client = given.endpoint.client();
  if (!client)
    return fail(client.error());
  const auto functions = lambda_api{*client}.list();
  if (!functions)
    return fail(functions.error());
  auto rows = functions_table();
  json_list list;
  for (const auto& function : *functions) {
    if (!function.is_object())
      continue;
    if (given.format.value() == output_format::json)
      list.add(function.get_object());
    else
      add_row(rows, function.get_object());
  }
  if (given.format.value() == output_format::json)
    list.end();
  else
    rows.print();
  return 0;
}

} // namespace

void add_ls(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("ls", "List the functions.");
  auto given = std::make_shared<ls_arguments>(*command);
  command->footer("Examples:\n"
                  "  troupe ls\n"
                  "  troupe ls --format json    # an array of configurations as AWS clients know them");
  command->callback([given, &chosen] { chosen = [given] { return ls(*given); }; });
}

} // namespace troupe::tools
