#include "config/command_line.hpp"

#include <fmt/core.h>

namespace troupe::config {

command_line::command_line(CLI::App& command) {
  file_ = command.add_option("--config", "Configuration file (TOML); without it there is none.");
  file_->type_name("FILE");
  const settings defaults;
  for (const auto& of : options()) {
    auto* value = command.add_option(fmt::format("--{}", of.name));
    value->option_text(fmt::format("{} [{}]", of.type(), of.get(defaults)));
    value->group(fmt::format("[{}]", of.section()));
    value->description(fmt::format("{}\n({}; {})", of.help, of.bounds(), of.environment()));
    values_.push_back(value);
  }
}

sources command_line::sources() const {
  config::sources result;
  if (file_->count() > 0)
    result.file = file_->as<std::string>();
  result.environment = troupe_environment();
  for (size_t i = 0; i < values_.size(); ++i)
    for (const auto& text : values_[i]->results())
      result.command_line.emplace_back(options()[i].name, text);
  return result;
}

} // namespace troupe::config
