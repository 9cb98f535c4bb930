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

remote_calls::entry remote_calls::take(uint64_t ticket) {
  return std::move(entries_.extract(ticket).mapped());
}

std::vector<uint64_t> remote_calls::sent_to(worker_index worker) const {
  std::vector<uint64_t> tickets;
  for (const auto& [ticket, each] : entries_)
    if (each.trip.worker == worker)
      tickets.push_back(ticket);
  return tickets;
}

std::vector<uint64_t> remote_calls::late(std::chrono::steady_clock::time_point now) const {
  std::vector<uint64_t> tickets;
  for (const auto& [ticket, each] : entries_)
    if (each.deadline <= now)
      tickets.push_back(ticket);
  return tickets;
}

} // namespace troupe
