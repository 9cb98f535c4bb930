#include "tools/common_options.hpp"

namespace troupe::tools {

endpoint_option::endpoint_option(CLI::App& command) {
  command.add_option("--endpoint", url_, "The node to talk to.")
    ->envname("TROUPE_ENDPOINT")
    ->type_name("URL")
    ->capture_default_str();
}

format_option::format_option(CLI::App& command) {
  command.add_option("--format", text_, "How to print: table for people, json for programs.")
    ->check(CLI::IsMember({"table", "json"}))
    ->option_text("table|json [table]");
}

} // namespace troupe::tools
