#include "actors/warm_sandboxes.hpp"

#include "config/limits.hpp"

#include <algorithm>

namespace troupe {

std::span<const warm_sandboxes::place> warm_sandboxes::idle(const uuid& revision) const noexcept {
  const auto found = numbers_.find(revision);
  if (found == numbers_.end())
    return {};
  const auto& of = revisions_[found->second];
  return {of.places.data(), of.idle};
}

/// Calls `action` with each cell of the worker, which may erase it.
template <class Action>
void warm_sandboxes::for_each_of(const worker_state& of, Action action) {
  for (const auto first : {of.resting.first, of.in_flight.first}) {
    for (auto id = first; id != no_cell;) {
      const auto after = cells_[id].after;
      action(id);
      id = after;
    }
  }
}

void warm_sandboxes::open(worker_index worker) {
  workers_.resize(std::max<size_t>(workers_.size(), worker + 1));
  workers_[worker].open = true;
  for_each_of(workers_[worker], [this](cell_id id) { settle(id); });
}

void warm_sandboxes::close(worker_index worker) {
  workers_[worker].open = false;
  for_each_of(workers_[worker], [this](cell_id id) { settle(id); });
}

void warm_sandboxes::remove(worker_index worker) {
  for_each_of(workers_[worker], [this](cell_id id) { erase(id); });
  workers_[worker].open = false;
}

warm_sandboxes::sending warm_sandboxes::sent(worker_index worker, const uuid& revision) {
  auto id = find(worker, revision);
  if (id == no_cell)
    id = make(worker, revision);
  if (id == no_cell)
    return {};
  auto& c = cells_[id];
  if (c.in_flight == 0) {
    unlink(workers_[worker].resting, id);
    link(workers_[worker].in_flight, id);
    c.retired = false;
  }
  const bool to_idle = c.known > c.in_flight;
  ++c.in_flight;
  settle(id);
  return {id, to_idle};
}

void warm_sandboxes::answered(const sending& which, run_end how) {
  if (which.cell == no_cell)
    return;
  auto& c = cells_[which.cell];
  --c.in_flight;
  if (!c.retired) {
    switch (how) {
      case run_end::warm: c.known = std::max(c.known, 1U); break;
      case run_end::cold:
        // One that should have been idle was not: the new one stands in its place, if that has not been told already.
        c.known = which.to_idle ? std::max(c.known, 1U) : c.known + 1;
        break;
      case run_end::broken:
        if (which.to_idle && c.known > 0)
          --c.known;
        break;
      case run_end::refused: break;
    }
  }
  if (c.in_flight == 0) {
    auto& of = workers_[c.worker];
    unlink(of.in_flight, which.cell);
    link(of.resting, which.cell);
  }
  settle(which.cell);
}

void warm_sandboxes::remaining(worker_index worker, const uuid& revision, uint32_t sandboxes) {
  const auto id = find(worker, revision);
  if (id == no_cell)
    return;
  cells_[id].known = std::min(cells_[id].known, sandboxes);
  settle(id);
}

void warm_sandboxes::forget(const uuid& revision) {
  const auto found = numbers_.find(revision);
  if (found == numbers_.end())
    return;
  const auto places = revisions_[found->second].places; // A copy: settling erases them.
  for (const auto& each : places) {
    cells_[each.cell].known = 0;
    cells_[each.cell].retired = true;
    settle(each.cell);
  }
}

uint32_t warm_sandboxes::idle_count(worker_index worker, const uuid& revision) const noexcept {
  const auto id = find(worker, revision);
  if (id == no_cell)
    return 0;
  const auto& c = cells_[id];
  return c.known > c.in_flight ? c.known - c.in_flight : 0;
}

size_t warm_sandboxes::count(worker_index worker) const noexcept {
  return worker < workers_.size() ? workers_[worker].cells : 0;
}

warm_sandboxes::cell_id warm_sandboxes::find(worker_index worker, const uuid& revision) const noexcept {
  const auto number = numbers_.find(revision);
  if (number == numbers_.end())
    return no_cell;
  const auto found = ids_.find(key_of(worker, number->second));
  return found == ids_.end() ? no_cell : found->second;
}

/// A new cell, for which the worker's oldest may have to go; no_cell when all of them have something in flight.
warm_sandboxes::cell_id warm_sandboxes::make(worker_index worker, const uuid& revision) {
  auto& of = workers_[worker];
  if (of.cells >= limits::warm_revisions_max) {
    if (of.resting.first == no_cell)
      return no_cell;
    erase(of.resting.first);
  }
  auto [number, is_new] = numbers_.try_emplace(revision, static_cast<revision_number>(revisions_.size()));
  if (is_new) {
    if (free_numbers_.empty()) {
      revisions_.emplace_back();
    } else {
      number->second = free_numbers_.back();
      free_numbers_.pop_back();
    }
    revisions_[number->second].id = revision;
  }
  cell_id id = static_cast<cell_id>(cells_.size());
  if (free_cells_.empty()) {
    cells_.emplace_back();
  } else {
    id = free_cells_.back();
    free_cells_.pop_back();
  }
  auto& places = revisions_[number->second].places;
  cells_[id] = {.worker = worker, .revision = number->second, .position = static_cast<uint32_t>(places.size())};
  places.push_back({worker, id});
  ids_.emplace(key_of(worker, number->second), id);
  link(of.resting, id);
  ++of.cells;
  return id;
}

void warm_sandboxes::erase(cell_id id) {
  auto& c = cells_[id];
  auto& of = revisions_[c.revision];
  c.known = 0;
  if (c.position < of.idle)
    move_to(of, id, --of.idle);
  move_to(of, id, static_cast<uint32_t>(of.places.size()) - 1);
  of.places.pop_back();
  ids_.erase(key_of(c.worker, c.revision));
  unlink(c.in_flight == 0 ? workers_[c.worker].resting : workers_[c.worker].in_flight, id);
  --workers_[c.worker].cells;
  free_cells_.push_back(id);
  if (of.places.empty()) {
    numbers_.erase(of.id);
    of = {};
    free_numbers_.push_back(c.revision);
  }
}

/// Puts the cell among those that are offered or among the others, or erases one that says nothing any more.
void warm_sandboxes::settle(cell_id id) {
  auto& c = cells_[id];
  if (c.known == 0 && c.in_flight == 0) {
    erase(id);
    return;
  }
  auto& of = revisions_[c.revision];
  const bool offered = c.known > c.in_flight && workers_[c.worker].open;
  if (offered && c.position >= of.idle)
    move_to(of, id, of.idle++);
  else if (!offered && c.position < of.idle)
    move_to(of, id, --of.idle);
}

/// Swaps it with the one at that position.
void warm_sandboxes::move_to(revision_state& of, cell_id id, uint32_t position) noexcept {
  const auto from = cells_[id].position;
  std::swap(of.places[from], of.places[position]);
  cells_[of.places[from].cell].position = from;
  cells_[id].position = position;
}

void warm_sandboxes::link(chain& in, cell_id id) noexcept {
  cells_[id].before = in.last;
  cells_[id].after = no_cell;
  (in.last == no_cell ? in.first : cells_[in.last].after) = id;
  in.last = id;
}

void warm_sandboxes::unlink(chain& from, cell_id id) noexcept {
  const auto& c = cells_[id];
  (c.before == no_cell ? from.first : cells_[c.before].after) = c.after;
  (c.after == no_cell ? from.last : cells_[c.after].before) = c.before;
}

} // namespace troupe
