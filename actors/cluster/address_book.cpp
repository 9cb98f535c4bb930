#include "actors/cluster/address_book.hpp"

#include "config/limits.hpp"
#include "config/names.hpp"

#include <algorithm>

namespace troupe {

namespace {

using namespace std::chrono_literals;

constexpr auto pause_min = 100ms; ///< between two tries to reach an address; it doubles
constexpr auto pause_max = 2s;
constexpr auto first_word_time = 5s; ///< from the door to the first word of the other's membership
constexpr size_t under_way_max = 64; ///< dials at one time, besides those that are waited for

/// A name and a place that a node could have.
bool is_plausible(const acquaintance& who) {
  const auto& host = who.address.host;
  return is_label(who.name) && who.address.port != 0 && !host.empty() && host.size() <= limits::host_bytes_max
      && std::ranges::all_of(host, [](char c) { return c > ' ' && c < 0x7f; });
}

} // namespace

address_book::address_book(std::string self, std::vector<config::node_address> seeds)
  : self_{std::move(self)}, seeds_{std::move(seeds)} {
  for (const auto& seed : seeds_)
    entries_.try_emplace(seed);
}

bool address_book::is_seed(const config::node_address& address) const {
  return std::ranges::find(seeds_, address) != seeds_.end();
}

/// Forgets one that has not answered so far.
bool address_book::make_room() {
  const auto idle = std::ranges::find_if(entries_, [this](const auto& each) {
    return each.second.failed > 0 && !each.second.under_way && !is_seed(each.first);
  });
  if (idle == entries_.end())
    return false;
  entries_.erase(idle);
  return true;
}

bool address_book::learn(const acquaintance& who) {
  if (!is_plausible(who) || !dials(who.name) || entries_.size() >= limits::members_max)
    return false;
  const auto [place, is_new] = entries_.try_emplace(who.address);
  if (is_new)
    place->second.name = who.name;
  return is_new;
}

void address_book::dial_back(const acquaintance& who) {
  if (!is_plausible(who) || (entries_.size() >= limits::members_max && !knows(who.address) && !make_room()))
    return;
  auto& known = entries_[who.address];
  known.name = who.name;
  known.next = {};
  known.pause = {};
  known.awaited = true;
}

std::vector<config::node_address> address_book::due(time_point now,
                                                    const std::function<bool(const std::string&)>& there) {
  std::vector<config::node_address> now_due;
  auto under_way =
    static_cast<size_t>(std::ranges::count_if(entries_, [](const auto& e) { return e.second.under_way; }));
  for (auto& [address, known] : entries_) {
    const bool wanted = !known.under_way && now >= known.next && (known.name.empty() || !there(known.name));
    if (!wanted || (under_way >= under_way_max && !known.awaited))
      continue;
    known.under_way = true;
    known.awaited = false;
    ++under_way;
    now_due.push_back(address);
  }
  return now_due;
}

void address_book::failed(const config::node_address& address, time_point now) {
  const auto found = entries_.find(address);
  if (found == entries_.end())
    return;
  auto& known = found->second;
  known.under_way = false;
  if (++known.failed >= limits::dials_max && !is_seed(address)) {
    entries_.erase(found);
    return;
  }
  known.pause = std::clamp<std::chrono::milliseconds>(2 * known.pause, pause_min, pause_max);
  known.next = now + known.pause;
}

void address_book::let_in(const config::node_address& address, const std::string& name, time_point now) {
  entries_[address] = {.name = name, .next = now + first_word_time, .pause = {}};
}

void address_book::met(const config::node_address& address, const std::string& name) {
  if (const auto found = entries_.find(address); found != entries_.end())
    found->second.name = name;
}

void address_book::lost(const std::string& name) {
  std::erase_if(entries_,
                [&](const auto& each) { return each.second.name == name && !dials(name) && !is_seed(each.first); });
  for (auto& [address, known] : entries_)
    if (known.name == name)
      known = {.name = name, .next = {}, .pause = {}, .under_way = known.under_way};
}

} // namespace troupe
