#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/worker.hpp"
#include "config/settings.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"

#include <filesystem>

/// What the settings of a node mean to its parts.
namespace troupe {

/// How its sandboxes are made. `data_dir` is canonical.
handlers::factory_settings factory_settings_of(const config::settings& settings, const std::filesystem::path& data_dir,
                                               const std::filesystem::path& program_dir);

/// A worker of this node as the node's own settings have it; without handles.
worker_settings worker_settings_of(const config::settings& settings);

/// What a balancer asks of the workers that it spawns.
worker_terms terms_of(const config::settings& settings);

/// What a worker asked for by another node gets of that: how much there is, its own node says, and how it is shared,
/// the cluster.
void apply(const worker_terms& terms, worker_settings& to, const std::string& node);

} // namespace troupe
