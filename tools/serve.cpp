#include "actors/io_scheduler.hpp"
#include "actors/node.hpp"
#include "config/cluster.hpp"
#include "config/errc.hpp"
#include "config/logging.hpp"
#include "handlers/sandbox/own_namespaces.hpp"
#include "http/gateway.hpp"
#include "http/server.hpp"
#include "tools/commands.hpp"
#include "tools/console.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

namespace troupe::tools {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Connections and sandboxes take descriptors, more than the usual soft limit of 1024: up to the hard one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/// Everything that serves, on the io thread; main's, since nothing here is a singleton.
struct serving {
  serving(asio::io_context& io, node& actors, const config::settings& given)
    : settings{given},
      gateway{io, actors.system(), actors.actors()},
      context{.actors = gateway, .currency = settings.billing.currency, .program_version = TROUPE_VERSION},
      server{io, settings.http, context} {}

  const config::settings& settings;
  http::gateway gateway;
  http::node_context context;
  http::server server;
};

/// Everything passes through the io thread: it goes before the handlers that it feeds, and before those whom a flood
/// keeps busy. It can fill one core: where that is the only one, handlers keep a quarter of it. Without the privilege
/// for that it stays as it is.
void put_this_thread_first() {
  const int nice = std::thread::hardware_concurrency() > 1 ? -15 : -5;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);
}

/// Events and answers of megabytes go back to the machine when they are done with. By default the allocator would soon
/// keep such sizes in its heaps, and a heap shrinks from its top only.
void give_back_large_buffers() {
  constexpr int threshold = 256 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, threshold);
}

/// Takes nothing new, and waits for what runs.
http::task<caf::expected<caf::unit_t>> drain(serving& all, std::chrono::milliseconds time_max,
                                             std::chrono::milliseconds patience) {
  const auto& actors = all.gateway.actors();
  if (actors.membership)
    co_return co_await all.gateway.ask<caf::unit_t>(actors.membership, time_max, atom::drain::value,
                                                    all.settings.node.name, caf::timespan{patience});
  co_return co_await all.gateway.ask<caf::unit_t>(actors.worker, time_max, atom::drain::value, caf::timespan{patience});
}

/// A second signal while the node stops: what still runs is ended at once.
http::task<void> hurry(asio::signal_set& signals, serving& all) {
  co_await signals.async_wait(http::use_task);
  spdlog::info("stopping at once");
  co_await drain(all, 10s, 0s);
}

/// Waits for a signal, then stops in order: no new requests, the last answers, the sandboxes, the actors.
http::task<void> stop_on_signal(asio::io_context& io, serving& all) {
  asio::signal_set signals{io, SIGINT, SIGTERM};
  co_await signals.async_wait(http::use_task);
  spdlog::info("stopping: finishing what runs");
  asio::co_spawn(io, hurry(signals, all), asio::detached);
  const auto drain_time = all.settings.worker.drain_timeout;
  co_await all.server.stop(drain_time);
  const auto drained = co_await drain(all, drain_time + 10s, drain_time);
  if (!drained)
    spdlog::warn("not all sandboxes ended in time: {}", what_of(drained.error()));
  all.gateway.stop();
  io.stop();
}

} // namespace

int serve(const config::resolved_options& options) {
  const auto& settings = options.values;
  config::set_up_logging(settings.log);
  give_back_large_buffers();
  raise_descriptor_limit();
  if (const auto refusal = handlers::enter_own_namespaces(program_directory() / "troupe-python3"))
    return fail(make_error(code_of(refusal), what_of(refusal) + " (troupe doctor says what to do)"));
  asio::io_context io{1};
  auto started = node::start(settings, io, program_directory());
  if (!started)
    return fail(started.error());
  auto& node = **started;
  io_scheduler::of(node.system()).bind_to_this_thread();
  serving all{io, node, settings};
  const bool serves_http = node.actors().balancer != nullptr;
  const auto problem = serves_http ? all.server.start() : caf::error{};
  if (!problem) {
    if (serves_http)
      spdlog::info("node {} serves on {}", settings.node.name, all.context.origin);
    if (config::is_clustered(settings))
      spdlog::info("node {} ({}) meets others on {}", settings.node.name, settings.node.roles,
                   config::to_string({settings.cluster.address, settings.cluster.port}));
    asio::co_spawn(io, stop_on_signal(io, all), asio::detached);
    put_this_thread_first(); // last, since threads that it starts would be put first as well
    io.run();
  } else {
    all.gateway.stop();
  }
  node.stop();
  if (problem)
    return fail(problem);
  spdlog::info("stopped");
  return 0;
}

} // namespace troupe::tools
