#include "actors/io_scheduler.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/resumable.hpp>

namespace troupe {

void io_scheduler::install(caf::actor_system_config& config, post_function post) {
  config.module_factories.emplace_back(
    [post = std::move(post)](caf::actor_system& system) -> caf::actor_system::module* {
      return new io_scheduler{system, post};
    });
}

io_scheduler& io_scheduler::of(caf::actor_system& system) {
  return static_cast<io_scheduler&>(system.scheduler());
}

io_scheduler::io_scheduler(caf::actor_system& system, post_function post)
  : abstract_coordinator{system}, post_{std::move(post)}, unit_{system, *this} {}

void io_scheduler::bind_to_this_thread() {
  home_ = std::this_thread::get_id();
}

void io_scheduler::enqueue(caf::resumable* job) {
  if (std::this_thread::get_id() != home_.load(std::memory_order_relaxed)) {
    post_([this, job] {
      jobs_.push_back(job);
      if (!scheduled_)
        run();
    });
    return;
  }
  jobs_.push_back(job);
  if (!scheduled_) {
    scheduled_ = true;
    post_([this] { run(); });
  }
}

void io_scheduler::run() {
  scheduled_ = true;
  while (!jobs_.empty()) {
    auto* job = jobs_.front();
    jobs_.pop_front();
    switch (job->resume(&unit_, max_throughput())) {
      case caf::resumable::resume_later: jobs_.push_back(job); break;
      case caf::resumable::done:
      case caf::resumable::awaiting_message: intrusive_ptr_release(job); break;
      case caf::resumable::shutdown_execution_unit: break;
    }
  }
  scheduled_ = false;
}

void io_scheduler::start() {
  clock_thread_ = std::thread{[this] { clock_.run_dispatch_loop(); }};
  abstract_coordinator::start();
}

void io_scheduler::stop() {
  stop_actors();
  clock_.cancel_dispatch_loop();
  clock_thread_.join();
  for (auto* job : jobs_)
    cleanup_and_release(job);
  jobs_.clear();
}

} // namespace troupe
