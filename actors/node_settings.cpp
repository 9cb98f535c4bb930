#include "actors/node_settings.hpp"

#include "config/ipv4.hpp"
#include "config/limits.hpp"
#include "config/packages.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace troupe {

namespace {

namespace fs = std::filesystem;

uint64_t machine_memory_bytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t memory_budget_of(const config::worker_settings& worker) {
  return worker.memory_bytes != 0 ? worker.memory_bytes : machine_memory_bytes() / 5 * 4;
}

/// Zygotes with packages have their part of the budget for themselves, where there can be any.
uint64_t zygote_memory_of(const config::worker_settings& worker) {
  if (worker.packages.empty() && worker.layers.empty())
    return 0;
  return std::min(worker.zygote_memory_bytes, memory_budget_of(worker) / limits::zygote_memory_share);
}

pool_settings pool_of(const config::settings& settings) {
  const auto& worker = settings.worker;
  pool_settings pool;
  pool.memory_bytes = memory_budget_of(worker) - zygote_memory_of(worker);
  pool.sandboxes_max = worker.sandboxes_max;
  pool.queue_limit = worker.queue_limit;
  pool.template_after = worker.template_after;
  pool.blank_bytes = worker.blank_sandboxes * limits::blank_sandbox_bytes;
  pool.cores = std::max(1U, std::thread::hardware_concurrency());
  pool.width = 2 * pool.cores;
  pool.launches_max = std::min<uint32_t>(pool.width, limits::launches_in_flight_max);
  pool.loads_max = 4 * limits::launches_in_flight_max;
  for (const auto& [name, tenant] : settings.tenants)
    pool.tenants.emplace(name, tenant_limits{tenant.memory_bytes, tenant.concurrency, tenant.weight});
  return pool;
}

/// One name a data directory, so that a restarted node finds and removes what its killed predecessor left.
std::string cgroup_name(const fs::path& data_dir) {
  return "troupe-" + digest::of(std::string_view{data_dir.native()}).hex().substr(0, 12);
}

} // namespace

handlers::factory_settings factory_settings_of(const config::settings& settings, const fs::path& data_dir,
                                               const fs::path& program_dir) {
  const auto& worker = settings.worker;
  handlers::factory_settings result;
  result.host_program = program_dir / "troupe-python3";
  result.run_dir = data_dir / "run";
  result.cgroup_name = cgroup_name(data_dir);
  result.memory_bytes = memory_budget_of(worker);
  result.level = worker.isolation == "relaxed" ? handlers::isolation::relaxed : handlers::isolation::full;
  // These were checked when the settings were read.
  result.egress_range = config::parse_ipv4_range(worker.egress_range).value();
  result.egress_denied = config::parse_ipv4_ranges(worker.egress_deny).value();
  result.name_servers = worker.egress_dns;
  result.packages = config::parse_module_names(worker.packages).value();
  result.layers = config::parse_directories(worker.layers).value();
  result.zygote_memory_bytes = zygote_memory_of(worker);
  result.blank_target = worker.blank_sandboxes;
  return result;
}

worker_settings worker_settings_of(const config::settings& settings) {
  worker_settings result;
  result.books = accountant{settings.billing, settings.node.name};
  result.pool = pool_of(settings);
  result.idle_timeout = settings.worker.idle_timeout;
  result.freeze_after = settings.worker.freeze_after;
  result.flush_interval = settings.ledger.flush_interval;
  result.silence_max = settings.cluster.death_after / 2;
  return result;
}

worker_terms terms_of(const config::settings& settings) {
  worker_terms terms;
  terms.idle_timeout = settings.worker.idle_timeout;
  terms.freeze_after = settings.worker.freeze_after;
  terms.template_after = settings.worker.template_after;
  terms.queue_limit = settings.worker.queue_limit;
  terms.granularity = settings.billing.granularity;
  terms.currency = settings.billing.currency;
  terms.price_per_gb_second_pico = settings.billing.price_per_gb_second_pico;
  terms.price_per_request_pico = settings.billing.price_per_request_pico;
  for (const auto& [name, tenant] : settings.tenants)
    terms.tenants.emplace(name, tenant_terms{tenant.memory_bytes, tenant.concurrency, tenant.weight});
  return terms;
}

void apply(const worker_terms& terms, worker_settings& to, const std::string& node) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  to.idle_timeout = duration_cast<milliseconds>(terms.idle_timeout);
  to.freeze_after = duration_cast<milliseconds>(terms.freeze_after);
  to.books = accountant{{.granularity = duration_cast<milliseconds>(terms.granularity),
                         .currency = terms.currency,
                         .price_per_gb_second_pico = terms.price_per_gb_second_pico,
                         .price_per_request_pico = terms.price_per_request_pico},
                        node};
  to.pool.template_after = duration_cast<milliseconds>(terms.template_after);
  to.pool.queue_limit = terms.queue_limit;
  to.pool.tenants.clear();
  for (const auto& [name, tenant] : terms.tenants)
    to.pool.tenants.emplace(name, tenant_limits{tenant.memory_bytes, tenant.concurrency, tenant.weight});
}

} // namespace troupe
