#include "actors/node.hpp"

#include "actors/accounting.hpp"
#include "actors/balancer.hpp"
#include "actors/cluster/identity.hpp"
#include "actors/cluster/roll.hpp"
#include "actors/handler_store.hpp"
#include "actors/io_scheduler.hpp"
#include "actors/launcher.hpp"
#include "actors/ledger.hpp"
#include "actors/node_settings.hpp"
#include "actors/remote_store.hpp"
#include "config/errc.hpp"

#include <caf/io/all.hpp>
#include <spdlog/spdlog.h>

#include <csignal>
#include <thread>

namespace troupe {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto setup_time_max = 10s;
constexpr auto stop_time_max = 10s;

int64_t now_ns() {
  return std::chrono::nanoseconds{std::chrono::system_clock::now().time_since_epoch()}.count();
}

} // namespace

node_config::node_config(io_loop& loop, const uuid& id, const config::settings& settings) {
  add_message_types<caf::id_block::troupe>();
  add_message_types<caf::id_block::troupe_handles>();
  set("scheduler.max-throughput", size_t{64});
  io_scheduler::install(*this, loop);
  if (!config::is_clustered(settings))
    return;
  add_message_types<caf::id_block::troupe_cluster>();
  set("middleman.heartbeat-interval", caf::timespan{settings.cluster.heartbeat});
  set("middleman.connection-timeout", caf::timespan{settings.cluster.death_after});
  // Its workers would run on the io thread, which does not run any more when the system goes and waits for them.
  set("middleman.workers", size_t{0});
  load<caf::io::middleman>();
  cluster::set_identity(*this, id);
}

node::node(io_loop& loop, const config::settings& settings)
  : loop_{loop},
    settings_{settings},
    roles_{config::parse_roles(settings.node.roles).value_or(config::node_roles{true, true, true})},
    id_{uuid::make()},
    config_{loop, id_, settings},
    system_{spawnable(config_)} {}

node::~node() = default;

/// Which actors other nodes may spawn here: workers.
node_config& node::spawnable(node_config& config) {
  if (config::is_clustered(settings_) && roles_.worker)
    config.add_actor_type("worker",
                          [this](worker_inner::stateful_pointer<worker_state> self,
                                 const worker_terms& terms) -> worker_inner::behavior_type {
                            auto settings = parts_.value();
                            apply(terms, settings, settings_.node.name);
                            const auto handle = caf::actor_cast<worker_actor>(self);
                            caf::anon_send(membership_, atom::spawned::value, handle); // which may have one
                            return worker(self, std::move(settings));
                          });
  return config;
}

caf::expected<std::unique_ptr<node>> node::start(const config::settings& settings, io_loop& loop,
                                                 const fs::path& program_dir) {
  std::signal(SIGPIPE, SIG_IGN); // Writing to a handler that has gone is an error to be seen, not the node's end.
  if (auto problem = config::check_cluster(settings))
    return problem;
  std::error_code ec;
  fs::create_directories(settings.node.data_dir, ec);
  if (ec)
    return make_error(errc::io_error, "node.data-dir " + settings.node.data_dir + " cannot be used: " + ec.message());
  const auto data_dir = fs::canonical(settings.node.data_dir, ec);
  auto db = storage::database::open(data_dir / "db", storage::database::access::owner);
  if (!db)
    return std::move(db.error());
  std::unique_ptr<node> made{new node{loop, settings}};
  if (auto problem = made->spawn_all(data_dir, std::move(*db), program_dir)) {
    made->stop();
    return problem;
  }
  return made;
}

caf::error node::spawn_all(const fs::path& data_dir, std::shared_ptr<storage::database> db,
                           const fs::path& program_dir) {
  if (auto problem = spawn_store(data_dir / "bundles", db))
    return problem;
  const auto ledger_handle = system_.spawn<caf::detached>(ledger, std::move(db));
  actors_.ledger = caf::actor_cast<ledger_actor>(ledger_handle);
  if (roles_.worker) {
    auto factory = handlers::make_sandbox_factory(factory_settings_of(settings_, data_dir, program_dir));
    if (!factory) {
      detached_.push_back(caf::actor_cast<caf::actor>(ledger_handle));
      return std::move(factory.error());
    }
    parts_ = worker_settings_of(settings_);
    parts_->ahead = (*factory)->gauges();
    const auto launching = system_.spawn<caf::detached>(launcher, std::move(*factory));
    detached_.insert(detached_.begin(), caf::actor_cast<caf::actor>(launching));
    parts_->loop = &loop_;
    parts_->bundles = data_dir / "bundles";
    parts_->store = actors_.store;
    parts_->launcher = launching;
    parts_->ledger = actors_.ledger;
  }
  detached_.push_back(caf::actor_cast<caf::actor>(ledger_handle)); // the last, since it takes the last records
  if (roles_.balancer)
    spawn_balancer();
  if (config::is_clustered(settings_))
    if (auto problem = join_cluster())
      return problem;
  wait_for_functions();
  return {};
}

caf::error node::spawn_store(const fs::path& bundles, const std::shared_ptr<storage::database>& db) {
  std::vector<function_version> functions;
  if (roles_.handler_store) {
    auto stored = storage::function_store{db}.all();
    if (!stored)
      return std::move(stored.error());
    functions = std::move(*stored);
  }
  if (auto problem = remove_stray_bundles(bundles, functions))
    return problem;
  const auto directory = fs::canonical(bundles);
  if (roles_.handler_store) {
    actors_.store = system_.spawn<caf::detached>(handler_store, db, std::move(functions), directory,
                                                 reservable_of(settings_.worker.sandboxes_max));
  } else {
    const auto standing_in = system_.spawn<caf::detached>(remote_store, directory);
    cluster_followers_.emplace_back(standing_in);
    actors_.store = standing_in;
  }
  detached_.push_back(caf::actor_cast<caf::actor>(actors_.store));
  return {};
}

/// A node that serves HTTP and runs functions has its worker from the start.
void node::spawn_balancer() {
  if (roles_.worker) {
    actors_.worker = caf::actor_cast<worker_actor>(system_.spawn(worker, *parts_));
    caf::anon_send(actors_.store, atom::follow::value, actors_.worker);
  }
  balancer_settings wanted;
  wanted.worker = actors_.worker;
  wanted.policy = policy_named(settings_.balancer.policy).value_or(policy_kind::warm_first);
  wanted.tenants = settings_.tenants;
  wanted.ledger = actors_.ledger;
  wanted.books = accountant{settings_.billing, settings_.node.name};
  const auto balancing = system_.spawn(balancer, std::move(wanted));
  actors_.balancer = balancing;
  cluster_followers_.emplace_back(balancing);
  caf::anon_send(actors_.store, atom::follow::value, actors_.balancer);
}

caf::error node::join_cluster() {
  auto opened = cluster::gate::open(settings_, id_);
  if (!opened)
    return std::move(opened.error());
  gate_ = std::move(*opened);
  cluster::close_side_doors(system_);
  membership_settings wanted;
  auto& self = wanted.self;
  self.name = settings_.node.name;
  self.id = id_;
  self.roles = roles_;
  self.address = {settings_.cluster.advertise.empty() ? settings_.cluster.address : settings_.cluster.advertise,
                  settings_.cluster.port};
  self.version = TROUPE_VERSION;
  self.since_ns = now_ns();
  self.cores = std::max(1U, std::thread::hardware_concurrency());
  self.worker = actors_.worker;
  if (roles_.handler_store)
    self.store = actors_.store;
  self.bundles = actors_.store;
  self.ledger = actors_.ledger;
  wanted.seeds = config::parse_seeds(settings_.cluster.seeds).value();
  wanted.terms = terms_of(settings_);
  wanted.dial = [door = gate_.get()](const config::node_address& address) { door->dial(address); };
  wanted.admit = [door = gate_.get()](const std::map<std::string, presence>& present) { door->admit(present); };
  wanted.link = [this](const peer_ptr& link) { cluster::make_link(system_, *link, membership_); };
  wanted.start_of = [](const caf::strong_actor_ptr& of) { return cluster::start_of(of->node()); };
  wanted.spawner = caf::actor_cast<caf::actor>(system_.middleman().actor_handle());
  wanted.close = [door = gate_.get()] { door->close(); };
  wanted.leave = [this](caf::timespan patience) {
    if (begin_leaving_)
      begin_leaving_(std::chrono::duration_cast<std::chrono::milliseconds>(patience));
  };
  wanted.adopted = [this](const worker_actor& mine) { // on the io thread, as the membership is
    actors_.worker = mine;
    caf::anon_send(actors_.store, atom::follow::value, mine);
  };
  membership_ = system_.spawn(troupe::membership, std::move(wanted));
  actors_.membership = membership_;
  actors_.roll = system_.spawn(roll);
  cluster_followers_.emplace_back(actors_.roll);
  for (const auto& follower : cluster_followers_)
    caf::anon_send(membership_, atom::follow::value, follower);
  gate_->report_to(membership_);
  return {};
}

/// Messages arrive in order: the balancer knows all functions before it hears of the first invocation.
void node::wait_for_functions() {
  if (!roles_.handler_store)
    return;
  caf::scoped_actor self{system_};
  self->request(caf::actor_cast<caf::actor>(actors_.store), setup_time_max, atom::list::value, std::string{})
    .receive([](const std::vector<function_version>&) {},
             [](const caf::error& why) { spdlog::error("the handler store does not answer: {}", what_of(why)); });
}

void node::stop() {
  // First those that still hand something to the others, then the ledger, which takes the last records.
  caf::anon_send_exit(membership_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(actors_.roll, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(actors_.balancer, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(actors_.worker, caf::exit_reason::user_shutdown);
  membership_ = membership_inner{};
  cluster_followers_.clear();
  parts_.reset();
  actors_ = {};
  for (auto& actor : std::exchange(detached_, {}))
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  if (!loop_.run_until([this] { return system_.registry().running() == 0; }, stop_time_max))
    spdlog::warn("{} actors have not ended in time", system_.registry().running());
  gate_.reset(); // which the membership has used to its end
}

} // namespace troupe
