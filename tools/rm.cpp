// `troupe rm`: removes a function.
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/lambda_api.hpp"

#include <fmt/core.h>

#include <memory>

namespace troupe::tools {

namespace {

struct rm_arguments {
  explicit rm_arguments(CLI::App& command) : endpoint{command} {}

  endpoint_option endpoint;
  std::string name;
};

int rm(const rm_arguments& given) {
  const auto client = given.endpoint.client();
  if (!client)
    return fail(client.error());
  if (const auto failure = lambda_api{*client}.remove(given.name))
    return fail(failure);
  fmt::print("removed {}\n", printable(given.name));
  return 0;
}

} // namespace

void add_rm(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("rm", "Remove a function. Its records stay.");
  auto given = std::make_shared<rm_arguments>(*command);
  command->add_option("NAME", given->name, "The function's name.")->required();
  command->footer("Example:\n  troupe rm hello");
  command->callback([given, &chosen] { chosen = [given] { return rm(*given); }; });
}

} // namespace troupe::tools
