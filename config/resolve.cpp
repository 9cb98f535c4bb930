#include "config/resolve.hpp"

#include "config/errc.hpp"

#include <fmt/core.h>

#include <unistd.h>

#include <algorithm>

namespace troupe::config {

namespace {

/// An unknown name, with the option that was probably meant.
caf::error unknown(std::string_view where, std::string_view suggestion) {
  auto what = fmt::format("{}: there is no such option", where);
  if (!suggestion.empty())
    what += fmt::format(", did you mean {}?", suggestion);
  return make_error(errc::invalid_argument, std::move(what));
}

/// Whether a variable can only be meant for an option: it names one of the sections.
bool names_a_section(std::string_view variable) {
  return std::any_of(options().begin(), options().end(), [variable](const option& of) {
    const auto name = of.environment();
    return variable.starts_with(std::string_view{name}.substr(0, name.size() - of.key().size()));
  });
}

caf::error add_environment(std::vector<assignment>& all, const std::map<std::string, std::string>& variables) {
  for (const auto& [name, text] : variables) {
    const auto is_meant = [&name](const option& of) { return of.environment() == name; };
    const auto found = std::find_if(options().begin(), options().end(), is_meant);
    if (found != options().end())
      all.push_back({&*found, text, {source::environment, name}});
    else if (name.starts_with("TROUPE_TENANT_"))
      return make_error(errc::invalid_argument,
                        fmt::format("environment: {}: a tenant is set up in the configuration file only", name));
    else if (names_a_section(name))
      return unknown("environment: " + name, {});
  }
  return {};
}

caf::error add_command_line(std::vector<assignment>& all,
                            const std::vector<std::pair<std::string, std::string>>& arguments) {
  for (const auto& [name, text] : arguments) {
    const auto* target = find_option(name);
    if (target == nullptr) {
      const auto* meant = nearest_option(name);
      return unknown("--" + name, meant == nullptr ? std::string{} : fmt::format("--{}", meant->name));
    }
    all.push_back({target, text, {source::command_line, "--" + name}});
  }
  return {};
}

/// Puts the file's tables of tenants into `result`.
caf::error add_tenants(resolved_options& result, const std::map<std::string, std::vector<tenant_assignment>>& tenants) {
  for (const auto& [name, assignments] : tenants) {
    auto& values = result.values.tenants[name];
    auto& origins = result.tenant_origins[name];
    origins.resize(tenant_options().size());
    for (const auto& one : assignments) {
      if (const auto failure = one.target->set(values, one.text))
        return make_error(code_of(failure), fmt::format("{}: tenant.{}.{}: {}", one.from.where, name, one.target->key(),
                                                        what_of(failure)));
      origins[static_cast<size_t>(one.target - tenant_options().data())] = one.from;
    }
  }
  return {};
}

/// "troupe.conf:12: http.port" or "TROUPE_HTTP_PORT": what an error about the assignment begins with.
std::string place_of(const assignment& one) {
  return one.from.from == source::file ? fmt::format("{}: {}", one.from.where, one.target->name) : one.from.where;
}

} // namespace

std::string to_string(const origin& of) {
  switch (of.from) {
    case source::standard: return "default";
    case source::file: return "file " + of.where;
    case source::environment: return "environment " + of.where;
    case source::command_line: return "command line " + of.where;
  }
  return {};
}

std::map<std::string, std::string> troupe_environment() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    const size_t equals = text.find('=');
    if (text.starts_with("TROUPE_") && equals != std::string_view::npos)
      result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

caf::expected<resolved_options> resolve(const sources& from) {
  file_contents file;
  if (from.file) {
    auto contents = read_file(*from.file);
    if (!contents)
      return contents.error();
    file = std::move(*contents);
  }
  auto& assignments = file.assignments; // From the weakest to the strongest: later ones win.
  if (auto failure = add_environment(assignments, from.environment))
    return failure;
  if (auto failure = add_command_line(assignments, from.command_line))
    return failure;

  resolved_options result;
  result.origins.resize(options().size());
  for (const auto& one : assignments) {
    if (const auto failure = one.target->set(result.values, one.text))
      return make_error(code_of(failure), fmt::format("{}: {}", place_of(one), what_of(failure)));
    result.origins[static_cast<size_t>(one.target - options().data())] = one.from;
  }
  if (auto failure = add_tenants(result, file.tenants))
    return failure;
  return result;
}

} // namespace troupe::config
