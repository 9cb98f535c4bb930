#include "http/cluster_ledgers.hpp"

namespace troupe::http {

ledger_place ledger_here(const node_context& node) {
  const auto& actors = node.actors.actors();
  return {node.node_name, actors.worker, actors.ledger, true};
}

task<caf::expected<std::vector<ledger_place>>> ledger_places(node_context& node, ledger_scope scope) {
  std::vector<ledger_place> places{ledger_here(node)};
  const auto actors = node.actors.actors();
  if (scope == ledger_scope::node || !actors.membership)
    co_return places;
  const auto members =
    co_await node.actors.ask<std::vector<member>>(actors.membership, limits::query_time_max, atom::members{});
  if (!members)
    co_return members.error();
  for (const auto& who : *members)
    if (who.name != node.node_name)
      places.push_back({who.name, who.worker, who.ledger, false});
  const auto gone =
    co_await node.actors.ask<std::vector<acquaintance>>(actors.roll, limits::query_time_max, atom::list{});
  if (!gone)
    co_return gone.error();
  for (const auto& who : *gone)
    places.push_back({who.name, {}, {}, false});
  co_return places;
}

task<caf::expected<caf::unit_t>> hand_over(node_context& node, ledger_place place) {
  if (!place.ledger && !place.is_here)
    co_return make_error(errc::node_lost);
  const std::chrono::milliseconds time_max = place.is_here ? limits::query_time_max : limits::ledger_reach_time_max;
  if (place.worker)
    co_return co_await node.actors.ask<caf::unit_t>(place.worker, time_max, atom::flush{});
  if (place.is_here)
    co_return caf::unit;
  ledger_filter nothing;
  nothing.count_max = 0;
  const auto there =
    co_await node.actors.ask<std::vector<usage_record>>(place.ledger, time_max, atom::records{}, nothing);
  if (!there)
    co_return there.error();
  co_return caf::unit;
}

std::string problem_of(const caf::error& error) {
  switch (code_of(error)) {
    case errc::node_lost: return "the node is gone";
    case errc::unavailable: return "no answer in time";
    default: return what_of(error);
  }
}

} // namespace troupe::http
