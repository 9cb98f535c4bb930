#pragma once

#include "config/resolve.hpp"

#include <CLI/CLI.hpp>

#include <functional>

/// The commands of the `troupe` program, a file each. All run in the main thread.
namespace troupe::tools {

/// What the chosen command does once the whole command line has been read; answers the program's exit code.
using action = std::function<int()>;

// Each adds its command to the program. When the user asks for it, `chosen` is set; nothing is done before.
// `chosen` has to outlive the program.
void add_serve(CLI::App& program, action& chosen);
void add_doctor(CLI::App& program, action& chosen);
void add_config(CLI::App& program, action& chosen);
void add_deploy(CLI::App& program, action& chosen);
void add_invoke(CLI::App& program, action& chosen);
void add_ls(CLI::App& program, action& chosen);
void add_show(CLI::App& program, action& chosen);
void add_rm(CLI::App& program, action& chosen);
void add_billing(CLI::App& program, action& chosen);
void add_cluster(CLI::App& program, action& chosen);
void add_cluster_certs(CLI::App& cluster, action& chosen); // A command of `cluster`.
void add_version(CLI::App& program, action& chosen);

/// Runs a node until SIGTERM or SIGINT and answers the exit code: 0 after a clean stop. Defined in tools/serve.cpp.
int serve(const config::resolved_options& options);

} // namespace troupe::tools
