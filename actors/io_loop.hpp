#pragma once

#include "actors/turns.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace troupe {

/// The order of things on the io thread. First what sockets, pipes and timers have brought, which is taken in
/// only: bytes are read, handlers' answers become messages. Then the actors' messages, so that a sandbox that has
/// answered has its next event. Then one turn (see `turns`): a request that has come, or an answer that goes to its
/// client. After each it looks again at what has come, which costs a system call, so that nobody waits for all that
/// another has brought.
///
/// Everything but `is_here` belongs to the thread that `bind` or `run` was called on.
class io_loop {
public:
  io_loop();
  io_loop(const io_loop&) = delete;
  io_loop& operator=(const io_loop&) = delete;

  boost::asio::io_context& io() noexcept { return io_; }
  class turns& turns() noexcept { return turns_; }

  /// How often it has looked at what has come: tells whether something happens twice in one look.
  uint64_t looks() const noexcept { return looks_; }

  /// What is to be called whenever actors may have got messages: it runs them until none has any.
  void set_actors(std::function<void()> run) { run_actors_ = std::move(run); }

  /// The calling thread is the io thread.
  void bind() noexcept { home_ = std::this_thread::get_id(); }

  /// Whether the calling thread is. From every thread.
  bool is_here() const noexcept { return std::this_thread::get_id() == home_.load(std::memory_order_relaxed); }

  /// Goes round until `stop`, or until nothing is left to wait for; what another thread might still post is nothing
  /// that it knows of.
  void run();

  /// From within `run`, which ends with the present round. For good.
  void stop();

  /// When `run` has ended, or never began: goes on until `done`, and then until nothing is left that has come or waits
  /// for its turn, at most `time_max` in all. False when it was not done by then.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds time_max);

private:
  bool take_in();
  void take_turn();

  boost::asio::io_context io_{1};
  class turns turns_;
  std::function<void()> run_actors_ = [] {};
  std::atomic<std::thread::id> home_;
  uint64_t looks_ = 0;
  bool stopping_ = false;
};

} // namespace troupe
