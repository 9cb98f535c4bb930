#include "handlers/sandbox/ids.hpp"

#include "config/limits.hpp"
#include "handlers/sandbox/cage.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <sstream>

namespace troupe::handlers {
namespace {

/// A range that distributions leave to nobody (systemd's "UIDs and GIDs" page).
constexpr uint32_t first_of_root = 0x7000'0000;

/// The zygote's share, and one for each sandbox that there can be.
constexpr uint32_t shares = limits::sandbox_cells_max + 1;

/// Whether all ids from `first` up to `end` are mapped, by lines that follow one another.
bool maps(std::string_view map, uint64_t first, uint64_t end) {
  std::istringstream lines{std::string{map}};
  uint64_t inside = 0;
  uint64_t outside = 0;
  uint64_t length = 0;
  while (lines >> inside >> outside >> length)
    if (inside <= first && first < inside + length)
      first = inside + length;
  return first >= end;
}

} // namespace

std::string id_map::line() const {
  return std::to_string(inside) + " " + std::to_string(outside) + " " + std::to_string(count) + "\n";
}

std::string id_plan::of_zygote() const {
  if (is_roots())
    return id_map{0, first, shares * each}.line();
  // The kernel wants each line below a single one of the node's, and that may have one for its user alone.
  const std::string own = id_map{0, first, 1}.line();
  return each == 0 ? own : own + id_map{1, first + 1, shares - 1}.line();
}

id_map id_plan::of_sandbox(uint32_t slot) const noexcept {
  if (each > 1)
    return {0, (slot + 1) * each, each}; // the first share is the zygote's own
  return {cage_user, (slot + 1) * each, 1};
}

id_map id_plan::inside_template() const noexcept {
  return each > 1 ? id_map{0, 0, each} : id_map{cage_user, cage_user, 1};
}

bool id_plan::is_roots() const noexcept {
  return each == limits::sandbox_ids;
}

id_plan plan_ids(std::string_view uid_map, std::string_view gid_map) {
  const auto has = [&](uint64_t first, uint64_t count) {
    return maps(uid_map, first, first + count) && maps(gid_map, first, first + count);
  };
  if (has(first_of_root, uint64_t{shares} * limits::sandbox_ids))
    return {.first = first_of_root, .each = limits::sandbox_ids};
  return {.first = 0, .each = has(0, shares) ? 1U : 0U};
}

id_plan plan_own_ids() {
  return plan_ids(read_small_file("/proc/self/uid_map").value_or(""),
                  read_small_file("/proc/self/gid_map").value_or(""));
}

} // namespace troupe::handlers
