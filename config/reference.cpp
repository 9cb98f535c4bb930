#include "config/reference.hpp"

#include "config/options.hpp"

#include <fmt/core.h>

namespace troupe::config {

std::string reference_page() {
  std::string page =
    "# Options\n\n"
    "Each option can be set in the configuration file (`[section]` and `key = value`), in the environment "
    "and on the command line (`--section.key value`). The command line wins over the environment, the "
    "environment over the file, the file over the default. `troupe config show` prints the values in "
    "force and where each came from. This page is what `troupe config reference` prints.\n";
  std::string_view section;
  const settings defaults;
  for (const auto& of : options()) {
    if (of.section() != section) {
      section = of.section();
      page += fmt::format("\n## [{}]\n\n| key | type | default | bounds | environment | what it does |\n"
                          "|---|---|---|---|---|---|\n",
                          section);
    }
    page += fmt::format("| `{}` | {} | `{}` | {} | `{}` | {} |\n", of.key(), of.type(), of.get(defaults), of.bounds(),
                        of.environment(), of.help);
  }
  page +=
    "\n## [tenant.NAME]\n\nA table for each tenant that has limits; one that has no table has the defaults. They stand "
    "in the configuration file only: neither the environment nor the command line reaches them.\n\n"
    "| key | type | default | bounds | what it does |\n|---|---|---|---|---|\n";
  const tenant_settings defaults_of_tenants;
  for (const auto& of : tenant_options())
    page += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", of.key(), of.type(), of.get(defaults_of_tenants),
                        of.bounds(), of.help);
  return page;
}

std::string tenant_help() {
  std::string help = "A tenant's limits stand in the configuration file only, in a table [tenant.NAME]:\n";
  const tenant_settings defaults;
  for (const auto& of : tenant_options())
    help +=
      fmt::format("  {} {} [{}]\n    {}\n    ({})\n", of.key(), of.type(), of.get(defaults), of.help, of.bounds());
  return help;
}

} // namespace troupe::config
