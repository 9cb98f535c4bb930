// The command line of `troupe serve`. What it then does stands in tools/serve.cpp.
#include "config/command_line.hpp"
#include "config/reference.hpp"
#include "tools/commands.hpp"
#include "tools/console.hpp"

#include <memory>

namespace troupe::tools {

void add_serve(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("serve", "Run a node until Ctrl-C or SIGTERM.");
  command->footer("Every option can stand in the configuration file and in the environment as well: the command line\n"
                  "wins over the environment, the environment over the file, the file over the default.\n\n"
                  + config::tenant_help()
                  + "\nExamples:\n"
                    "  troupe serve --node.data-dir /tmp/troupe\n"
                    "  troupe serve --config troupe.conf --http.port 9000\n"
                    "  TROUPE_LOG_LEVEL=debug troupe serve\n"
                    "  troupe config show --config troupe.conf    # what would be in force, and why");
  auto given = std::make_shared<config::command_line>(*command);
  command->callback([given, &chosen] {
    chosen = [given] {
      const auto options = config::resolve(given->sources());
      return options ? serve(*options) : fail(options.error());
    };
  });
}

} // namespace troupe::tools
