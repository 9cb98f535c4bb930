#include "tools/common_options.hpp"

namespace troupe::tools {

endpoint_option::endpoint_option(CLI::App& command) {
  command.add_option("--endpoint", url_, "The node to talk to.")
    ->envname("TROUPE_ENDPOINT")
    ->type_name("URL")
    ->capture_default_str();
  const auto name_fault = [](const std::string& text) {
    return is_label(text) ? std::string{} : "a tenant's name is " + std::string{label_rule};
  };
  command.add_option("--tenant", tenant_, "Whose functions and records.")
    ->envname("TROUPE_TENANT")
    ->check(CLI::Validator{name_fault, "NAME"})
    ->type_name("")
    ->capture_default_str();
}

caf::expected<http_client> endpoint_option::client() const {
  auto client = http_client::make(url_);
  if (client)
    client->speak_for(tenant_);
  return client;
}

format_option::format_option(CLI::App& command) {
  command.add_option("--format", text_, "How to print: table for people, json for programs.")
    ->check(CLI::IsMember({"table", "json"}))
    ->option_text("table|json [table]");
}

} // namespace troupe::tools
