#pragma once

#include "actors/io_loop.hpp"

#include <caf/detail/thread_safe_actor_clock.hpp>
#include <caf/execution_unit.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <deque>
#include <thread>

namespace troupe {

/// Runs the cooperative actors on the io thread, the one that owns the HTTP sessions and the sandboxes' pipes, in
/// place of CAF's pool of threads. What costs time between actors is waking threads, not sending messages: here a
/// message from one actor to the next is a push and a pop, without a lock or a futex.
///
/// Thread safety: `enqueue` may be called from every thread; actors run only inside `run`, when the loop says so.
/// Detached actors keep their own threads, and time-outs come from one clock thread.
class io_scheduler : public caf::scheduler::abstract_coordinator {
public:
  /// Puts this scheduler in place of CAF's in an actor system made of `config`. `loop` must outlive the system.
  static void install(caf::actor_system_config& config, io_loop& loop);

  io_scheduler(caf::actor_system& system, io_loop& loop);

  void enqueue(caf::resumable* job) override;
  void start() override;
  void stop() override;
  caf::actor_clock& clock() noexcept override { return clock_; }

private:
  /// Collects what an actor makes runnable while it runs.
  struct unit : caf::execution_unit {
    unit(caf::actor_system& system, io_scheduler& owner) : caf::execution_unit{&system}, owner_{owner} {}
    void exec_later(caf::resumable* job) override { owner_.enqueue(job); }
    io_scheduler& owner_;
  };

  void run();

  io_loop& loop_;
  unit unit_;
  std::deque<caf::resumable*> jobs_; ///< of the io thread
  caf::detail::thread_safe_actor_clock clock_;
  std::thread clock_thread_;
};

} // namespace troupe
