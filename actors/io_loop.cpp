#include "actors/io_loop.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <random>

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// Of what has come, in one look: as much as one system call brings. Something may come as fast as it is taken in, and
/// actors and turns must not wait for its end.
constexpr size_t look_max = 128;
constexpr auto look_pause_max = 5ms; ///< between two looks whether `run_until` is done

uint64_t random_salt() {
  std::random_device source;
  return uint64_t{source()} << 32 | source();
}

} // namespace

io_loop::io_loop() : turns_{random_salt()} {}

void io_loop::run() {
  bind();
  run_actors_();
  while (!stopping_) {
    if (io_.stopped()) // There was nothing to wait for but turns, which may have changed that.
      io_.restart();
    const bool came = take_in();
    if (!came && turns_.empty()) {
      if (io_.run_one() == 0)
        return;
      run_actors_();
    }
    take_turn();
  }
}

void io_loop::stop() {
  stopping_ = true;
  io_.stop();
}

/// False when nothing had come.
bool io_loop::take_in() {
  ++looks_;
  size_t count = 0;
  while (count < look_max && io_.poll_one() > 0)
    ++count;
  run_actors_();
  return count > 0;
}

void io_loop::take_turn() {
  if (turns_.empty())
    return;
  turns_.take_next();
  run_actors_();
}

bool io_loop::run_until(const std::function<bool()>& done, std::chrono::milliseconds time_max) {
  io_.restart();
  const auto stays_open = boost::asio::make_work_guard(io_); // for what other threads post
  const auto until = std::chrono::steady_clock::now() + time_max;
  const auto late = [until] { return std::chrono::steady_clock::now() >= until; };
  bool reached = done();
  while (!reached && !late()) {
    if (turns_.empty())
      io_.run_one_for(look_pause_max);
    run_actors_();
    take_turn();
    reached = done();
  }
  while ((take_in() || !turns_.empty()) && !late())
    take_turn();
  return reached;
}

} // namespace troupe
