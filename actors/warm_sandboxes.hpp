#pragma once

#include "actors/hash_ring.hpp"
#include "config/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace troupe {

/// How an invocation that was sent to a worker ended, as far as its sandbox is concerned.
enum class run_end : uint8_t {
  warm,    ///< it ran in a sandbox that had run before, and which is there still
  cold,    ///< a sandbox was made for it, and is there now
  broken,  ///< its sandbox went with it: a crash, a timeout, no memory
  refused, ///< it was not run
};

/// What a balancer believes of the sandboxes on its workers: how many there are of each revision, learnt from how
/// invocations end, and how many of those this balancer's own invocations occupy; the rest is idle. By revision it
/// gives the workers with idle ones without looking at any other.
///
/// Beliefs end by what workers tell (`remaining`, `forget`), and mend themselves without: an invocation that was sent
/// to an idle sandbox and came out of a new one shows that the new one has taken the other's place. Of a worker no more
/// than limits::warm_revisions_max revisions are remembered; those whose last run is longest ago go first. Pure.
class warm_sandboxes {
public:
  using cell_id = uint32_t;
  static constexpr cell_id no_cell = UINT32_MAX;

  /// A worker with an idle sandbox of some revision.
  struct place {
    worker_index worker;
    cell_id cell;
  };

  /// What is remembered of an invocation that was sent: which sandboxes it is about, and whether one was idle.
  struct sending {
    cell_id cell = no_cell;
    bool to_idle = false;
  };

  /// In no order. Empty when no worker has one. Valid until the next call that changes something.
  std::span<const place> idle(const uuid& revision) const noexcept;

  /// The worker takes invocations from now on.
  void open(worker_index worker);

  /// Its idle sandboxes are no longer offered, and it is remembered all the same.
  void close(worker_index worker);

  /// All that is known of it goes; sendings to it must not be passed to `answered` any more.
  void remove(worker_index worker);

  /// `worker` has been opened once.
  sending sent(worker_index worker, const uuid& revision);
  void answered(const sending& which, run_end how);

  /// Idle sandboxes have ended there, the worker tells, and it has so many left, whoever runs in them.
  void remaining(worker_index worker, const uuid& revision, uint32_t sandboxes);

  /// The revision is no longer deployed: its sandboxes end everywhere.
  void forget(const uuid& revision);

  /// How many are believed to be idle there, whether they are offered or not.
  uint32_t idle_count(worker_index worker, const uuid& revision) const noexcept;

  /// How many revisions are remembered of the worker.
  size_t count(worker_index worker) const noexcept;

private:
  using revision_number = uint32_t;

  /// The sandboxes of one revision on one worker. With none there and none in flight there is no cell.
  struct cell {
    worker_index worker = 0;
    revision_number revision = 0;
    uint32_t known = 0;     ///< sandboxes
    uint32_t in_flight = 0; ///< invocations; with as many as sandboxes or more none is idle
    uint32_t position = 0;  ///< in `places` of its revision
    bool retired = false;   ///< nothing is learnt from those in flight
    cell_id before = no_cell, after = no_cell;
  };

  struct revision_state {
    uuid id;
    std::vector<place> places; ///< all its cells, those offered as idle first
    uint32_t idle = 0;         ///< how many of them these are
  };

  /// A chain of cells, the oldest first.
  struct chain {
    cell_id first = no_cell, last = no_cell;
  };

  struct worker_state {
    chain resting;   ///< nothing in flight: these may be forgotten
    chain in_flight; ///< the others
    uint32_t cells = 0;
    bool open = false;
  };

  cell_id find(worker_index worker, const uuid& revision) const noexcept;
  cell_id make(worker_index worker, const uuid& revision);
  void erase(cell_id id);
  void settle(cell_id id);
  void move_to(revision_state& of, cell_id id, uint32_t position) noexcept;
  void link(chain& in, cell_id id) noexcept;
  void unlink(chain& from, cell_id id) noexcept;

  template <class Action>
  void for_each_of(const worker_state& of, Action action);

  static uint64_t key_of(worker_index worker, revision_number revision) noexcept {
    return uint64_t{revision} << 32 | worker;
  }

  std::unordered_map<uuid, revision_number> numbers_;
  std::vector<revision_state> revisions_; ///< by number
  std::vector<revision_number> free_numbers_;
  std::unordered_map<uint64_t, cell_id> ids_; ///< by revision and worker
  std::vector<cell> cells_;
  std::vector<cell_id> free_cells_;
  std::vector<worker_state> workers_; ///< by index
};

} // namespace troupe
