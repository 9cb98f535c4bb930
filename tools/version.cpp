#include "tools/commands.hpp"

#include <fmt/core.h>

namespace troupe::tools {

void add_version(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("version", "Print the program's version.");
  command->callback([&chosen] {
    chosen = [] {
      fmt::print("troupe {}\n", TROUPE_VERSION);
      return 0;
    };
  });
}

} // namespace troupe::tools
