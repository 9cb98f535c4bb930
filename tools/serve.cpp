#include "actors/io_loop.hpp"
#include "actors/node.hpp"
#include "config/cluster.hpp"
#include "config/errc.hpp"
#include "config/logging.hpp"
#include "handlers/sandbox/own_namespaces.hpp"
#include "http/gateway.hpp"
#include "http/server.hpp"
#include "http/start_up.hpp"
#include "tools/commands.hpp"
#include "tools/console.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace troupe::tools {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto notice_time = 1s;       ///< that load balancers have to see that a node is not ready any more
constexpr auto last_answers_time = 1s; ///< for who has asked for the node's end to be told of it
constexpr auto goodbye_time = 1s;      ///< for the others to hear it

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
  serving(io_loop& loop, node& actors, const config::settings& given)
    : settings{given},
      gateway{loop, actors.system(), actors.actors()},
      context{.actors = gateway,
              .node_name = settings.node.name,
              .currency = settings.billing.currency,
              .program_version = TROUPE_VERSION},
      server{loop, settings.http, context} {}

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

/// Memory is taken as bytes arrive, and not two megabytes at the first of them because more was announced.
void take_small_pages() {
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/// Events and answers of megabytes go back to the machine when they are done with. By default the allocator would soon
/// keep such sizes in its heaps, and a heap shrinks from its top only.
void give_back_large_buffers() {
  constexpr int threshold = 256 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, threshold);
}

/// The node's end, which begins with a signal or because somebody in the cluster wants the node to leave: one way for
/// both.
struct ending {
  ending(io_loop& where, serving& what, node& whose) : loop{where}, all{what}, actors{whose}, notice{where.io()} {}

  io_loop& loop;
  serving& all;
  node& actors;
  bool begun = false;
  std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max(); ///< what runs may run
  http::io_timer notice;

  std::chrono::milliseconds time_left() const {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(until, now) - now);
  }
};

/// Waits for what runs.
http::task<caf::expected<caf::unit_t>> drain(ending& end) {
  const caf::timespan patience{end.time_left()};
  const auto time_max = end.time_left() + 10s;
  if (end.actors.membership())
    co_return co_await end.all.gateway.ask<caf::unit_t>(end.actors.membership(), time_max, atom::drain{}, patience);
  co_return co_await end.all.gateway.ask<caf::unit_t>(end.all.gateway.actors().worker, time_max, atom::drain{},
                                                      patience);
}

/// The others hear that this node takes nothing new. Where another one serves HTTP, this one goes on for a while, so
/// that whoever spreads requests over them has seen that it is not ready any more.
http::task<void> retire(ending& end) {
  end.all.server.retire();
  if (!end.actors.membership())
    co_return;
  const auto others = co_await end.all.gateway.ask<bool>(end.actors.membership(), 10s, atom::leave{});
  if (!end.actors.actors().balancer || !others || !*others)
    co_return;
  boost::system::error_code problem; // Of a wait that was cut short.
  end.notice.expires_after(std::min<std::chrono::milliseconds>(notice_time, end.time_left()));
  co_await end.notice.async_wait(asio::redirect_error(http::use_task, problem));
}

/// In order: readiness, the last requests, the sandboxes, goodbye, the actors.
http::task<void> stop_in_order(ending& end) {
  spdlog::info("stopping: finishing what runs");
  co_await retire(end);
  co_await end.all.server.finish(end.time_left());
  const auto drained = co_await drain(end);
  if (!drained)
    spdlog::warn("not all sandboxes ended in time: {}", what_of(drained.error()));
  co_await end.all.server.stop(last_answers_time);
  if (end.actors.membership())
    co_await end.all.gateway.ask<caf::unit_t>(end.actors.membership(), 10s, atom::goodbye{},
                                              caf::timespan{goodbye_time});
  end.all.gateway.stop();
  end.loop.stop();
}

http::task<void> hurry(ending& end) {
  co_await drain(end);
}

/// Begins the end, or has it come sooner.
void begin(ending& end, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  if (until >= end.until)
    return;
  end.until = until;
  if (!std::exchange(end.begun, true)) {
    asio::co_spawn(end.loop.io(), stop_in_order(end), asio::detached);
    return;
  }
  end.all.server.hurry(patience);
  if (patience == 0ms)
    end.notice.cancel();
  asio::co_spawn(end.loop.io(), hurry(end), asio::detached);
}

/// The first signal begins the end; at a second one what still runs is ended at once.
http::task<void> stop_on_signal(ending& end) {
  asio::signal_set signals{end.loop.io(), SIGINT, SIGTERM};
  co_await signals.async_wait(http::use_task);
  begin(end, end.all.settings.worker.drain_timeout);
  co_await signals.async_wait(http::use_task);
  spdlog::info("stopping at once");
  begin(end, 0ms);
}

} // namespace

int serve(const config::resolved_options& options) {
  const auto& settings = options.values;
  config::set_up_logging(settings.log);
  take_small_pages();
  give_back_large_buffers();
  raise_descriptor_limit();
  if (const auto refusal = handlers::enter_own_namespaces(program_directory() / "troupe-python3"))
    return fail(make_error(code_of(refusal), what_of(refusal) + " (troupe doctor says what to do)"));
  io_loop loop;
  auto& io = loop.io();
  auto started = node::start(settings, loop, program_directory());
  if (!started)
    return fail(started.error());
  auto& node = **started;
  loop.bind();
  serving all{loop, node, settings};
  const bool serves_http = node.actors().balancer != nullptr;
  const bool clustered = config::is_clustered(settings);
  if (clustered)
    http::hold_invocations(io, all.context);
  const auto problem = serves_http ? all.server.start() : caf::error{};
  ending end{loop, all, node};
  if (!problem) {
    if (serves_http)
      spdlog::info("node {} serves on {}", settings.node.name, all.context.origin);
    if (clustered)
      spdlog::info("node {} ({}) meets others on {}", settings.node.name, settings.node.roles,
                   config::to_string({settings.cluster.address, settings.cluster.port}));
    node.on_leave([&end](std::chrono::milliseconds patience) { begin(end, patience); });
    asio::co_spawn(io, stop_on_signal(end), asio::detached);
    if (clustered && serves_http)
      asio::co_spawn(io, http::meet_cluster(io, all.context, config::parse_roles(settings.node.roles).value()),
                     asio::detached);
    put_this_thread_first(); // last, since threads that it starts would be put first as well
    loop.run();
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
