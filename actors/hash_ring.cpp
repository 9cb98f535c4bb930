#include "actors/hash_ring.hpp"

#include "actors/random_source.hpp"

namespace troupe {

namespace {

/// FNV-1a. The names are the operator's own: nobody else chooses where they fall.
uint64_t hash_of(std::string_view text) noexcept {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text)
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

} // namespace

void hash_ring::add(worker_index worker, std::string_view node, uint32_t points) {
  random_source places{hash_of(node)};
  const auto before = static_cast<std::ptrdiff_t>(points_.size());
  for (uint32_t i = 0; i < points; ++i)
    points_.push_back({places.next(), worker});
  std::sort(points_.begin() + before, points_.end());
  std::inplace_merge(points_.begin(), points_.begin() + before, points_.end());
}

void hash_ring::remove(worker_index worker) {
  std::erase_if(points_, [worker](const point& p) { return p.worker == worker; });
}

} // namespace troupe
