#include "actors/io_loop.hpp"

#include <random>

namespace troupe {

namespace {

using namespace std::chrono_literals;

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
    const auto count = io_.poll();
    run_actors_();
    if (count == 0 && turns_.empty()) {
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

void io_loop::take_turn() {
  if (turns_.empty())
    return;
  turns_.take_next();
  run_actors_();
}

bool io_loop::run_until(const std::function<bool()>& done, std::chrono::milliseconds time_max) {
  io_.restart();
  const auto until = std::chrono::steady_clock::now() + time_max;
  while (!done() && std::chrono::steady_clock::now() < until) {
    if (turns_.empty())
      io_.run_one_for(look_pause_max);
    run_actors_();
    take_turn();
  }
  while (!turns_.empty())
    take_turn();
  return done();
}

} // namespace troupe
