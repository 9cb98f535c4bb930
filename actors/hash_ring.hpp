#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe {

/// Names a worker inside a table; used again once the worker is gone.
using worker_index = uint32_t;

/// Consistent hashing (Karger et al., STOC 1997): each worker has many points on a ring, and a key belongs to the
/// worker of the first point at or behind it. So a worker that comes takes a fair part of the keys from all others and
/// moves no key besides. Where the points are follows from the node's name: all balancers agree, and a node that comes
/// back finds its functions again. Pure.
class hash_ring {
public:
  /// `worker` is not on the ring; `points` is at least 1.
  void add(worker_index worker, std::string_view node, uint32_t points);

  void remove(worker_index worker);

  bool empty() const noexcept { return points_.empty(); }

  /// The first worker from `key` on that `takes` accepts; nullopt when it accepts none.
  template <class Predicate>
  std::optional<worker_index> first(uint64_t key, Predicate takes) const {
    const auto begin =
      std::lower_bound(points_.begin(), points_.end(), key, [](const point& a, uint64_t b) { return a.at < b; });
    for (auto i = begin; i != points_.end(); ++i)
      if (takes(i->worker))
        return i->worker;
    for (auto i = points_.begin(); i != begin; ++i)
      if (takes(i->worker))
        return i->worker;
    return std::nullopt;
  }

private:
  struct point {
    uint64_t at;
    worker_index worker;

    bool operator<(const point& other) const noexcept { return at != other.at ? at < other.at : worker < other.worker; }
  };

  std::vector<point> points_; ///< sorted
};

} // namespace troupe
