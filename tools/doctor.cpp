// `troupe doctor`: what this machine offers for sandboxes, what is missing, and how to turn it on.
#include "config/errc.hpp"
#include "handlers/sandbox/machine.hpp"
#include "handlers/sandbox/own_namespaces.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "tools/commands.hpp"
#include "tools/common_options.hpp"
#include "tools/console.hpp"
#include "tools/table.hpp"

#include <boost/json.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace troupe::tools {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using handlers::machine_part;

std::string_view state_of(const machine_part& part) {
  if (part.there)
    return "ok";
  switch (part.needed) {
    case machine_part::need::always: return "missing";
    case machine_part::need::limit: return "relaxed only";
    case machine_part::need::feature: return "not there";
  }
  return "";
}

/// Makes a sandbox and removes it, in a directory of its own: what can only be known by trying.
machine_part try_a_sandbox(const std::vector<machine_part>& parts) {
  machine_part result{"a sandbox", machine_part::need::always, false, {}, {}};
  if (const auto problem = handlers::check_machine()) {
    result.found = "not tried";
    result.remedy = "first what is missing above";
    return result;
  }
  char directory[] = "/tmp/troupe-doctor-XXXXXX";
  if (::mkdtemp(directory) == nullptr) {
    result.found = "not tried: no directory can be made in /tmp";
    result.remedy = "make room in /tmp";
    return result;
  }
  spdlog::set_level(spdlog::level::off); // the error says it all
  handlers::factory_settings settings;
  settings.host_program = program_directory() / "troupe-python3";
  settings.run_dir = std::string{directory} + "/run";
  settings.cgroup_name = "troupe-doctor-" + std::to_string(::getpid());
  if (std::ranges::any_of(parts, [](const auto& p) { return p.needed == machine_part::need::limit && !p.there; }))
    settings.level = handlers::isolation::relaxed;
  const auto start = std::chrono::steady_clock::now();
  auto made = handlers::make_sandbox_factory(std::move(settings));
  const auto took = std::chrono::steady_clock::now() - start;
  result.there = static_cast<bool>(made);
  result.found = made ? fmt::format("zygote and sandbox made in {} ms",
                                    std::chrono::duration_cast<std::chrono::milliseconds>(took).count())
                      : what_of(made.error());
  result.remedy = made ? "" : "the first step that failed is named on the left";
  if (made)
    made->reset(); // which leaves the directory empty
  std::error_code ignored;
  fs::remove(directory, ignored);
  return result;
}

void print(const std::vector<machine_part>& parts, output_format format) {
  if (format == output_format::json) {
    json::array all;
    for (const auto& part : parts) {
      json::object one{{"part", part.name}, {"state", state_of(part)}, {"found", part.found}};
      if (!part.there)
        one["remedy"] = part.remedy;
      all.push_back(std::move(one));
    }
    fmt::print("{}\n", json::serialize(all));
    return;
  }
  table shown{{{"PART"}, {"STATE"}, {"FOUND"}, {"WHAT TO DO"}}};
  for (const auto& part : parts)
    shown.add({part.name, std::string{state_of(part)}, part.found, part.remedy});
  shown.print();
}

int examine(output_format format) {
  // As a node of this user would. When that is refused, the parts say why.
  const auto refusal = handlers::enter_own_namespaces(program_directory() / "troupe-python3");
  auto parts = handlers::examine_machine();
  if (refusal) {
    parts.front().there = false;
    parts.front().found = what_of(refusal);
    parts.front().remedy = "start the node as root, or let users make user namespaces (see below)";
  }
  parts.push_back(try_a_sandbox(parts));
  print(parts, format);
  const auto is_lost = [](const auto& part) { return part.needed == machine_part::need::always && !part.there; };
  if (std::ranges::any_of(parts, is_lost))
    return fail(make_error(errc::not_supported, "this machine cannot make sandboxes yet"));
  return 0;
}

} // namespace

void add_doctor(CLI::App& program, action& chosen) {
  auto* command = program.add_subcommand("doctor", "Show what this machine offers for sandboxes, and what is missing.");
  command->footer("Looks at privileges, kernel, control groups and nftables, and makes a sandbox to try, all as a\n"
                  "node of whoever runs it would. Leaves nothing behind; can run beside a node. Exits with 0 when a\n"
                  "node can start here. An ordinary user asks in the place where the node will run:\n"
                  "  systemd-run --user --scope -p Delegate=yes troupe doctor\n\n"
                  "States: ok; missing: no node can start; relaxed only: a node starts with worker.isolation =\n"
                  "\"relaxed\", without that limit; not there: a node starts, without that.\n\n"
                  "Examples:\n"
                  "  troupe doctor\n"
                  "  troupe doctor --format json");
  auto format = std::make_shared<format_option>(*command);
  command->callback([format, &chosen] { chosen = [format] { return examine(format->value()); }; });
}

} // namespace troupe::tools
