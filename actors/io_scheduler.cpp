#include "actors/io_scheduler.hpp"

#include <boost/asio/post.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/resumable.hpp>

namespace troupe {

void io_scheduler::install(caf::actor_system_config& config, io_loop& loop) {
  config.module_factories.emplace_back([&loop](caf::actor_system& system) -> caf::actor_system::module* {
    return new io_scheduler{system, loop};
  });
}

io_scheduler::io_scheduler(caf::actor_system& system, io_loop& loop)
  : abstract_coordinator{system}, loop_{loop}, unit_{system, *this} {
  loop_.set_actors([this] { run(); });
}

void io_scheduler::enqueue(caf::resumable* job) {
  if (loop_.is_here())
    jobs_.push_back(job);
  else
    boost::asio::post(loop_.io(), [this, job] { jobs_.push_back(job); });
}

void io_scheduler::run() {
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
