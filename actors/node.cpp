#include "actors/node.hpp"

#include "actors/balancer.hpp"
#include "actors/handler_store.hpp"
#include "actors/io_scheduler.hpp"
#include "actors/launcher.hpp"
#include "actors/ledger.hpp"
#include "actors/worker.hpp"
#include "config/errc.hpp"
#include "config/packages.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace troupe {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto setup_time_max = 10s;
constexpr auto stop_time_max = 10s;

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
  pool.launches_max = limits::launches_in_flight_max;
  pool.template_after = worker.template_after;
  pool.blank_bytes = worker.blank_sandboxes * limits::blank_sandbox_bytes;
  pool.cores = std::max(1U, std::thread::hardware_concurrency());
  pool.width = 2 * pool.cores;
  for (const auto& [name, tenant] : settings.tenants)
    pool.tenants.emplace(name, tenant_limits{tenant.memory_bytes, tenant.concurrency, tenant.weight});
  return pool;
}

/// One name a data directory, so that a restarted node finds and removes what its killed predecessor left.
std::string cgroup_name(const fs::path& data_dir) {
  return "troupe-" + digest::of(std::string_view{data_dir.native()}).hex().substr(0, 12);
}

} // namespace

node_config::node_config(boost::asio::io_context& io) {
  add_message_types<caf::id_block::troupe>();
  add_message_types<caf::id_block::troupe_handles>();
  set("scheduler.max-throughput", size_t{64});
  io_scheduler::install(*this, [&io](std::function<void()> job) { boost::asio::post(io, std::move(job)); });
}

node::node(boost::asio::io_context& io) : io_{io}, config_{io}, system_{config_} {}

node::~node() = default;

caf::expected<std::unique_ptr<node>> node::start(const config::settings& settings, boost::asio::io_context& io,
                                                 const fs::path& program_dir) {
  std::signal(SIGPIPE, SIG_IGN); // Writing to a handler that has gone is an error to be seen, not the node's end.
  std::error_code ec;
  fs::create_directories(settings.node.data_dir, ec);
  if (ec)
    return make_error(errc::io_error, "node.data-dir " + settings.node.data_dir + " cannot be used: " + ec.message());
  const auto data_dir = fs::canonical(settings.node.data_dir, ec);
  auto db = storage::database::open(data_dir / "db", storage::database::access::owner);
  if (!db)
    return std::move(db.error());
  auto functions = storage::function_store{*db}.all();
  if (!functions)
    return std::move(functions.error());
  if (auto err = remove_stray_bundles(data_dir / "bundles", *functions))
    return err;
  handlers::factory_settings factory_settings;
  factory_settings.host_program = program_dir / "troupe-python3";
  factory_settings.run_dir = data_dir / "run";
  factory_settings.cgroup_name = cgroup_name(data_dir);
  factory_settings.memory_bytes = memory_budget_of(settings.worker);
  factory_settings.level =
    settings.worker.isolation == "relaxed" ? handlers::isolation::relaxed : handlers::isolation::full;
  // These were checked when the settings were read.
  factory_settings.egress_range = config::parse_ipv4_range(settings.worker.egress_range).value();
  factory_settings.egress_denied = config::parse_ipv4_ranges(settings.worker.egress_deny).value();
  factory_settings.name_servers = settings.worker.egress_dns;
  factory_settings.packages = config::parse_module_names(settings.worker.packages).value();
  factory_settings.layers = config::parse_directories(settings.worker.layers).value();
  factory_settings.zygote_memory_bytes = zygote_memory_of(settings.worker);
  factory_settings.blank_target = settings.worker.blank_sandboxes;
  auto factory = handlers::make_sandbox_factory(std::move(factory_settings));
  if (!factory)
    return std::move(factory.error());
  std::unique_ptr<node> made{new node{io}};
  made->spawn_all(settings, std::move(*db), std::move(*factory), std::move(*functions));
  return made;
}

void node::spawn_all(const config::settings& settings, std::shared_ptr<storage::database> db,
                     std::shared_ptr<handlers::sandbox_factory> factory, std::vector<function_version> functions) {
  const auto bundles = fs::canonical(settings.node.data_dir) / "bundles";
  const auto ledger_handle = system_.spawn<caf::detached>(ledger, db);
  const auto store = system_.spawn<caf::detached>(handler_store, db, std::move(functions), bundles,
                                                  reservable_of(settings.worker.sandboxes_max));
  const auto launching = system_.spawn<caf::detached>(launcher, std::move(factory));

  troupe::worker_settings w;
  w.io = &io_;
  w.store = store;
  w.launcher = launching;
  w.ledger = caf::actor_cast<ledger_actor>(ledger_handle);
  w.books = accountant{settings.billing, settings.node.name};
  w.pool = pool_of(settings);
  w.idle_timeout = settings.worker.idle_timeout;
  w.freeze_after = settings.worker.freeze_after;
  w.flush_interval = settings.ledger.flush_interval;
  const auto working = system_.spawn(worker, std::move(w));

  actors_.worker = caf::actor_cast<worker_actor>(working);
  actors_.balancer = system_.spawn(balancer, actors_.worker, settings.tenants);
  actors_.store = store;
  actors_.ledger = caf::actor_cast<ledger_actor>(ledger_handle);
  detached_ = {caf::actor_cast<caf::actor>(launching), caf::actor_cast<caf::actor>(store),
               caf::actor_cast<caf::actor>(ledger_handle)};

  // Messages arrive in order: the balancer knows all functions before it hears of the first invocation.
  caf::anon_send(store, atom::follow::value, actors_.balancer);
  caf::anon_send(store, atom::follow::value, actors_.worker);
  caf::scoped_actor self{system_};
  self->request(caf::actor_cast<caf::actor>(store), setup_time_max, atom::list::value, std::string{})
    .receive([](const std::vector<function_version>&) {},
             [](const caf::error& why) { spdlog::error("the handler store does not answer: {}", what_of(why)); });
}

void node::stop() {
  // First those that still hand something to the others, then the ledger, which takes the last records.
  caf::anon_send_exit(actors_.balancer, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(actors_.worker, caf::exit_reason::user_shutdown);
  actors_ = {};
  for (auto& actor : std::exchange(detached_, {}))
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  io_.restart();
  const auto until = std::chrono::steady_clock::now() + stop_time_max;
  while (system_.registry().running() > 0 && std::chrono::steady_clock::now() < until)
    io_.run_one_for(5ms);
  if (system_.registry().running() > 0)
    spdlog::warn("{} actors have not ended in time", system_.registry().running());
}

} // namespace troupe
