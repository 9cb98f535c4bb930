#pragma once

#include "client.hpp"
#include "fake_actors.hpp"

#include "http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace troupe::http::test {

struct system_config : caf::actor_system_config {
  system_config() {
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", size_t{1});
  }
};

/// What a test's node is made with.
struct node_options {
  config::http_settings http;
  std::chrono::milliseconds gateway_sweep{1000};
  worker_status worker;
  ledger_memory ledger;
  /// Makes it a node of a cluster: its membership and roll, once its own actors are there.
  std::function<void(caf::actor_system&, node_actors&)> join = {};
};

/// The HTTP half of a node on a thread of its own, in front of fake actors, on a port that the system chose.
class test_node {
public:
  explicit test_node(node_options options = ready())
    : system{config_}, gate{loop, system, make_actors(options), options.gateway_sweep}, context{gate} {
    context.node_name = "n1";
    context.program_version = "1.2.3";
    options.http.port = 0;
    web.emplace(loop, options.http, context);
    problem = web->start();
    thread_ = std::thread{[this] { loop.run(); }};
  }

  ~test_node() {
    on_io<int>([this]() -> http::task<int> {
      co_await web->stop(std::chrono::milliseconds{0});
      gate.stop();
      co_return 0;
    });
    guard_.reset();
    thread_.join(); // It returns once nothing is left: a session or timer that stays is a hanging test.
    for (const auto& actor : all_)
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    all_.clear();
  }

  static node_options ready() {
    node_options options;
    options.worker.ready = true;
    return options;
  }

  /// Runs a coroutine on the io thread. (Asio's own futures want results that can be made from nothing.)
  template <class R, class F>
  std::future<R> start_on_io(F coroutine) {
    auto promise = std::make_shared<std::promise<R>>();
    auto future = promise->get_future();
    boost::asio::co_spawn(
      loop.io(), [promise, coroutine]() mutable -> http::task<void> { promise->set_value(co_await coroutine()); },
      boost::asio::detached);
    return future;
  }

  /// The same, waiting for its end.
  template <class R, class F>
  R on_io(F coroutine) {
    return start_on_io<R>(std::move(coroutine)).get();
  }

  uint16_t port() const { return web->local_port(); }

  /// Sends one request on a connection of its own.
  answer ask(std::string_view method, std::string_view target, std::string_view body = {},
             std::string_view fields = {}) {
    return client{port()}.ask(text_of(method, target, body, fields));
  }

private:
  node_actors make_actors(const node_options& options) {
    node_actors actors;
    actors.balancer = system.spawn(fake_balancer);
    actors.worker = system.spawn(fake_worker, options.worker);
    actors.store = system.spawn(fake_store);
    actors.ledger = system.spawn(fake_ledger, options.ledger);
    all_ = {caf::actor_cast<caf::actor>(actors.balancer), caf::actor_cast<caf::actor>(actors.worker),
            caf::actor_cast<caf::actor>(actors.store), caf::actor_cast<caf::actor>(actors.ledger)};
    if (options.join) {
      options.join(system, actors);
      all_.insert(all_.end(),
                  {caf::actor_cast<caf::actor>(actors.membership), caf::actor_cast<caf::actor>(actors.roll)});
    }
    return actors;
  }

  system_config config_;

public:
  io_loop loop;
  caf::actor_system system;

private:
  std::vector<caf::actor> all_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{loop.io().get_executor()};

public:
  gateway gate;
  node_context context;
  std::optional<server> web;
  caf::error problem; ///< of the start

private:
  std::thread thread_;
};

} // namespace troupe::http::test
