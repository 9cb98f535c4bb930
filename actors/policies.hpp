#pragma once

#include "actors/random_source.hpp"
#include "actors/worker_table.hpp"
#include "config/balancing.hpp"

#include <cstdint>
#include <optional>

namespace troupe {

/// By these `warm_first` weighs a warm start against a worker with less to do, in percent of a worker's fair share.
/// Values of their own are for simulations (tools/bench/balance).
struct load_shares {
  uint32_t cold = 125; ///< up to here functions come that have no idle sandbox
  uint32_t warm = 200; ///< up to here functions are sent to an idle one
};

/// How many workers with an idle sandbox are looked at.
inline constexpr uint32_t warm_looks = 4;

/// Chooses a worker for each invocation. No worker that drains is chosen, and no decision allocates.
///
/// - warm_first: of some workers with an idle sandbox of the revision the least loaded, unless it is far beyond its
///   share. Else consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam: "Consistent Hashing with
///   Bounded Loads", SODA 2018): by the revision, from its place on the ring the first worker within its share. So a
///   function's sandboxes are on few workers, the same for all balancers, and none gets too much. A worker with a free
///   core is always within its share: below that, nothing is gained by moving.
/// - two_choices: the less loaded of two that are drawn (Mitzenmacher: "The Power of Two Choices in Randomized Load
///   Balancing", 1996).
/// - least_loaded: the least loaded for its weight; of equals any.
/// - round_robin: one after the other, by index, whatever their weight and load.
/// - random: any.
class policy {
public:
  explicit policy(policy_kind kind, load_shares shares = {}) noexcept : kind_{kind}, shares_{shares} {}

  /// nullopt when no worker takes invocations.
  std::optional<worker_index> choose(const worker_table& workers, const uuid& revision, random_source& random) noexcept;

  policy_kind kind() const noexcept { return kind_; }

private:
  policy_kind kind_;
  load_shares shares_;
  worker_index next_ = 0; ///< whose turn it is: the first from here on
};

} // namespace troupe
