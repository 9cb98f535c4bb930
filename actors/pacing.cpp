#include "actors/pacing.hpp"

#include <utility>

namespace troupe {

using handlers::pace;

namespace {

using namespace std::chrono_literals;

/// An event that stood in the queue comes sooner than any client can ask again,
constexpr std::chrono::nanoseconds at_once = 25us;
/// or, when others ran meanwhile, has waited for longer than the io thread takes to hand one on.
constexpr std::chrono::nanoseconds for_long = 250us;
constexpr uint8_t crowd_most = 16;
/// A run that has used so much CPU kept a core from others.
constexpr std::chrono::nanoseconds heavy_from = 1ms;

} // namespace

void pacing::ended(std::chrono::nanoseconds cpu) noexcept {
  heavy_ = cpu >= heavy_from;
}

pace pacing::chosen() const noexcept {
  if (heavy_)
    return pace::heavy;
  if (crowd_ == 0)
    return pace::eager;
  // In between it stays, so that a mixture does not cost a system call each time.
  return crowd_ == crowd_most || now_ == pace::heavy ? pace::crowded : now_;
}

std::optional<pace> pacing::begins(std::chrono::nanoseconds pause, std::chrono::nanoseconds waited) noexcept {
  if (pause < at_once || waited >= for_long)
    crowd_ += crowd_ < crowd_most;
  else
    crowd_ -= crowd_ > 0;
  const auto next = chosen();
  if (std::exchange(now_, next) == next)
    return std::nullopt;
  return next;
}

} // namespace troupe
