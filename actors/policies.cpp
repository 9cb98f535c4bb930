#include "actors/policies.hpp"

#include <algorithm>

namespace troupe {

namespace {

worker_index any_of(std::span<const worker_index> open, random_source& random) noexcept {
  return open[random.below(static_cast<uint32_t>(open.size()))];
}

worker_index one_of_two(const worker_table& workers, random_source& random) noexcept {
  const auto open = workers.open();
  const auto count = static_cast<uint32_t>(open.size());
  if (count == 1)
    return open.front();
  const auto first = random.below(count);
  auto second = random.below(count - 1);
  if (second >= first) // Two different ones.
    ++second;
  return workers.less_loaded(open[second], open[first]) ? open[second] : open[first];
}

/// From a random one on, so that all balancers do not choose the same of equals.
worker_index least_of_all(const worker_table& workers, random_source& random) noexcept {
  const auto open = workers.open();
  const auto begin = random.below(static_cast<uint32_t>(open.size()));
  auto best = open[begin];
  const auto look_at = [&workers, &best](worker_index worker) {
    if (workers.less_loaded(worker, best))
      best = worker;
  };
  std::for_each(open.begin() + begin + 1, open.end(), look_at);
  std::for_each(open.begin(), open.begin() + begin, look_at);
  return best;
}

/// All that have an idle one are looked at when they are few, else as many of them, from a random one on.
std::optional<worker_index> warm_one(const worker_table& workers, const uuid& revision, random_source& random,
                                     uint32_t share) noexcept {
  const auto places = workers.warm().idle(revision);
  if (places.empty())
    return std::nullopt;
  const auto count = static_cast<uint32_t>(places.size());
  auto at = random.below(count);
  auto best = places[at].worker;
  for (uint32_t looks = std::min(count, warm_looks); looks > 1; --looks) {
    at = at + 1 < count ? at + 1 : 0;
    if (workers.less_loaded(places[at].worker, best))
      best = places[at].worker;
  }
  return workers.within_share(best, share) ? std::optional{best} : std::nullopt;
}

/// Where a revision stands on the ring.
uint64_t place_of(const uuid& revision) noexcept {
  uint64_t high = 0;
  uint64_t low = 0;
  for (size_t i = 0; i < 8; ++i) {
    high = high << 8 | revision.bytes[i];
    low = low << 8 | revision.bytes[i + 8];
  }
  return mix_bits(mix_bits(high) ^ low);
}

/// There is always one within its share: all shares together are more than the load and the one that comes.
std::optional<worker_index> nearest(const worker_table& workers, const uuid& revision, uint32_t share) noexcept {
  return workers.ring().first(place_of(revision),
                              [&workers, share](worker_index worker) { return workers.within_share(worker, share); });
}

} // namespace

std::optional<worker_index> policy::choose(const worker_table& workers, const uuid& revision,
                                           random_source& random) noexcept {
  const auto open = workers.open();
  if (open.empty())
    return std::nullopt;
  switch (kind_) {
    case policy_kind::warm_first: {
      // Nothing is warm on a worker that has just joined: for a while the others keep closer to their shares.
      const auto warm = warm_one(workers, revision, random, workers.has_newcomer() ? shares_.cold : shares_.warm);
      return warm ? warm : nearest(workers, revision, shares_.cold);
    }
    case policy_kind::two_choices: return one_of_two(workers, random);
    case policy_kind::least_loaded: return least_of_all(workers, random);
    case policy_kind::round_robin: {
      const auto turn = std::lower_bound(open.begin(), open.end(), next_);
      const auto chosen = turn == open.end() ? open.front() : *turn;
      next_ = chosen + 1;
      return chosen;
    }
    case policy_kind::random: return any_of(open, random);
  }
  return std::nullopt;
}

} // namespace troupe
