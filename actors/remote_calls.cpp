#include "actors/remote_calls.hpp"

namespace troupe {

remote_calls::entry& remote_calls::put(entry what) {
  what.call.ticket = ++last_;
  return entries_.emplace(last_, std::move(what)).first->second;
}

remote_calls::entry* remote_calls::find(uint64_t ticket) {
  const auto found = entries_.find(ticket);
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<remote_calls::entry> remote_calls::take(uint64_t ticket) {
  auto found = entries_.extract(ticket);
  return found.empty() ? std::nullopt : std::optional{std::move(found.mapped())};
}

template <class Predicate>
std::vector<remote_calls::entry> remote_calls::take_if(Predicate predicate) {
  std::vector<entry> taken;
  std::erase_if(entries_, [&](auto& each) {
    const bool wanted = predicate(each.second);
    if (wanted)
      taken.push_back(std::move(each.second));
    return wanted;
  });
  return taken;
}

std::vector<remote_calls::entry> remote_calls::take_sent_to(worker_index worker) {
  return take_if([worker](const entry& each) { return each.trip.worker == worker; });
}

std::vector<remote_calls::entry> remote_calls::take_late(std::chrono::steady_clock::time_point now) {
  return take_if([now](const entry& each) { return each.deadline <= now; });
}

} // namespace troupe
