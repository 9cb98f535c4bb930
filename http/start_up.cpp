#include "http/start_up.hpp"

#include "config/limits.hpp"

#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace troupe::http {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto hold_time_max = 5s; ///< nodes that can be reached are linked within two
constexpr auto look_pause = 20ms;
constexpr auto look_time_max = 1s;       ///< for an answer: of a node that is lost there comes none
constexpr auto later_look_pause = 500ms; ///< when nobody waits any more

/// The store tells the balancer of all functions before it answers who asks for them.
task<bool> has_heard_of_functions(node_context& node) {
  const auto all = co_await node.actors.ask<std::vector<function_version>>(node.actors.actors().store, look_time_max,
                                                                           atom::list{}, std::string{});
  co_return static_cast<bool>(all);
}

void let_go(node_context& node) {
  if (const auto held = std::exchange(node.starting, nullptr))
    held->cancel();
}

} // namespace

/// What this node's worker has. Where it has none it is ready when another node's takes invocations.
task<caf::expected<worker_status>> ask_worker(node_context& node) {
  if (node.actors.actors().worker)
    co_return co_await node.actors.ask<worker_status>(node.actors.actors().worker, limits::query_time_max,
                                                      atom::status{});
  const auto members = co_await node.actors.ask<std::vector<member>>(node.actors.actors().membership,
                                                                     limits::query_time_max, atom::members{});
  if (!members)
    co_return members.error();
  worker_status none;
  none.ready = std::ranges::any_of(*members, [](const member& who) { return who.worker && !who.draining; });
  co_return none;
}

void hold_invocations(boost::asio::io_context& io, node_context& node) {
  node.starting = std::make_shared<io_timer>(io, steady_clock::time_point::max());
}

task<void> meet_cluster(boost::asio::io_context& io, node_context& node, config::node_roles roles) {
  node.knows_functions = roles.handler_store;
  const auto until = steady_clock::now() + hold_time_max;
  io_timer pause{io};
  boost::system::error_code problem; // Nothing cuts this wait short.
  while (node.starting || !node.knows_functions) {
    if (!node.knows_functions)
      node.knows_functions = co_await has_heard_of_functions(node);
    const auto worker = co_await ask_worker(node);
    if ((node.knows_functions && worker && worker->ready) || steady_clock::now() > until)
      let_go(node);
    if (node.leaving)
      break;
    pause.expires_after(node.starting ? look_pause : later_look_pause);
    co_await pause.async_wait(boost::asio::redirect_error(use_task, problem));
  }
  let_go(node);
}

task<void> await_start(node_context& node) {
  const auto held = node.starting;
  boost::system::error_code problem; // It ends by being cancelled.
  if (held)
    co_await held->async_wait(boost::asio::redirect_error(use_task, problem));
}

} // namespace troupe::http
