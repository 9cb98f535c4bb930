#include "http/gateway.hpp"

#include <spdlog/spdlog.h>

namespace troupe::http {

namespace {

caf::behavior asker(asker_pointer self) {
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](const caf::down_msg& down) {
    if (const auto lost = self->state.far.extract(down.source))
      for (const auto& ask : lost.mapped())
        ask->lose();
  });
  self->set_exception_handler([](std::exception_ptr& problem) -> caf::error {
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& error) {
      spdlog::error("the HTTP gateway failed: {}", error.what());
    }
    return caf::none; // It lives on: all sessions depend on it.
  });
  return {[self](ask_job& job) { job.ask->send(self); }};
}

} // namespace

gateway::gateway(io_loop& loop, caf::actor_system& system, node_actors actors, std::chrono::milliseconds sweep_interval)
  : loop_{loop},
    sweep_interval_{sweep_interval},
    timer_{loop.io()},
    actors_{std::move(actors)},
    self_{system.spawn(asker)},
    alive_{std::make_shared<gateway*>(this)} {
  wait_for_sweep();
}

gateway::~gateway() {
  stop();
}

void gateway::watch(asker_pointer self, const caf::actor_addr& whom, pending_ask& ask) {
  auto& waiting = self->state.far[whom];
  if (waiting.empty())
    self->monitor(whom);
  waiting.emplace_back(&ask);
}

bool gateway::forget(asker_pointer self, const caf::actor_addr& whom, const pending_ask& ask) {
  const auto found = self->state.far.find(whom);
  if (found == self->state.far.end())
    return false; // lost
  if (std::erase(found->second, &ask) == 0)
    return false;
  if (found->second.empty()) {
    self->demonitor(whom);
    self->state.far.erase(found);
  }
  return true;
}

void gateway::begin(pending_ask_ptr ask, std::chrono::milliseconds time_max) {
  if (stopped_) {
    boost::asio::post(loop_.io(), [ask] { ask->resume(make_error(errc::shutting_down)); });
    return;
  }
  // Two more: the present tick is partly over, and the division rounds down.
  ask->last_tick = tick_ + static_cast<uint64_t>(time_max / sweep_interval_) + 2;
  ask->lane = loop_.turns().current();
  ask->ref(); // The list's.
  waiting_.push_back(*ask);
  caf::anon_send(self_, ask_job{std::move(ask)});
}

void gateway::wait_for_sweep() {
  timer_.expires_after(sweep_interval_);
  timer_.async_wait([weak = std::weak_ptr<gateway*>{alive_}](boost::system::error_code problem) {
    if (const auto alive = weak.lock(); alive && !problem)
      (*alive)->sweep();
  });
}

void gateway::sweep() {
  if (stopped_)
    return; // The timer had run out before `stop` could cancel it; armed again, it would keep the loop alive.
  ++tick_;
  // Those that are late are taken out first: a resumed coroutine may ask again at once.
  std::vector<pending_ask_ptr> late;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& ask = *at++;
    if (ask.last_tick < tick_ && !ask.turn::is_linked()) { // An answer that waits for its turn has come.
      ask.ask_hook::unlink();
      late.emplace_back(&ask, false);
    }
  }
  for (const auto& ask : late) {
    spdlog::warn("an actor has not answered in time");
    ask->resume(make_error(errc::unavailable));
  }
  wait_for_sweep();
}

void gateway::stop() {
  if (std::exchange(stopped_, true))
    return;
  timer_.cancel();
  while (!waiting_.empty()) {
    pending_ask_ptr ask{&waiting_.front(), false};
    ask->ask_hook::unlink();
    boost::asio::post(loop_.io(), [ask] { ask->resume(make_error(errc::shutting_down)); });
  }
  caf::anon_send_exit(self_, caf::exit_reason::user_shutdown);
  self_ = nullptr;
  actors_ = {};
}

} // namespace troupe::http
