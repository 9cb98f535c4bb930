// `troupe config show` and `troupe config reference`.
#include "config/command_line.hpp"
#include "config/reference.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/render.hpp"

#include <fmt/core.h>

#include <memory>

namespace troupe::tools {

namespace {

struct show_arguments {
  explicit show_arguments(CLI::App& command) : values{command}, format{command} {}

  config::command_line values;
  format_option format;
};

std::string_view name_of(config::source from) {
  switch (from) {
    case config::source::standard: return "default";
    case config::source::file: return "file";
    case config::source::environment: return "environment";
    case config::source::command_line: return "command line";
  }
  return {};
}

/// Prints values and where they came from, in either format.
class value_list {
public:
  explicit value_list(output_format format) : format_{format} {}

  template <class All>
  void add(const std::string& name, const config::option_of<All>& of, const All& values, const config::origin& from) {
    const auto value = of.get(values);
    if (format_ == output_format::table) {
      rows_.add({name, value, to_string(from)});
      return;
    }
    boost::json::object result{{"name", name}, {"value", value}, {"source", name_of(from.from)}};
    if (of.is_number())
      result["value"] = std::stoll(value);
    if (!from.where.empty())
      result["where"] = from.where;
    list_.add(result);
  }

  void end() {
    if (format_ == output_format::json)
      list_.end();
    else
      rows_.print();
  }

private:
  output_format format_;
  table rows_{{{"OPTION"}, {"VALUE"}, {"FROM"}}};
  json_list list_;
};

int show(const show_arguments& given) {
  const auto resolved = config::resolve(given.values.sources());
  if (!resolved)
    return fail(resolved.error());
  value_list shown{given.format.value()};
  for (size_t i = 0; i < config::options().size(); ++i) {
    const auto& of = config::options()[i];
    shown.add(std::string{of.name}, of, resolved->values, resolved->origins[i]);
  }
  for (const auto& [tenant, values] : resolved->values.tenants) {
    for (size_t i = 0; i < config::tenant_options().size(); ++i) {
      const auto& of = config::tenant_options()[i];
      shown.add(fmt::format("tenant.{}.{}", tenant, of.key()), of, values, resolved->tenant_origins.at(tenant)[i]);
    }
  }
  shown.end();
  return 0;
}

} // namespace

void add_config(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("config", "Show the configuration, or the reference of all options.");
  command->require_subcommand(1);

  auto* show_command = command->add_subcommand("show", "Print every option's value and where it came from.");
  show_command->footer("It takes what `troupe serve` takes and starts nothing.\n\n"
                       "Examples:\n"
                       "  troupe config show --config troupe.conf\n"
                       "  troupe config show --http.port 9000 --format json");
  auto given = std::make_shared<show_arguments>(*show_command);
  show_command->callback([given, &chosen] { chosen = [given] { return show(*given); }; });

  auto* reference = command->add_subcommand("reference", "Print the reference of all options, in Markdown.");
  reference->callback([&chosen] {
    chosen = [] {
      fmt::print("{}", config::reference_page());
      return 0;
    };
  });
}

} // namespace troupe::tools
