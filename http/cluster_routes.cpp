#include "http/cluster_routes.hpp"

#include "config/limits.hpp"
#include "http/time_text.hpp"

#include <boost/json.hpp>

#include <chrono>

namespace troupe::http {

namespace {

namespace json = boost::json;

std::string_view state_of(const member& who) {
  if (who.draining)
    return "draining";
  return who.roles.worker && !who.worker ? "starting" : "up";
}

json::object json_of(const member& who) {
  const std::chrono::nanoseconds since{who.since_ns};
  const auto& load = who.load;
  return {{"name", who.name},
          {"id", who.id.to_string()},
          {"roles", config::to_string(who.roles)},
          {"state", state_of(who)},
          {"address", config::to_string(who.address)},
          {"version", who.version},
          {"since", rfc3339(std::chrono::floor<std::chrono::milliseconds>(since))},
          {"cores", who.cores},
          {"sandboxes", {{"starting", load.starting}, {"idle", load.idle}, {"busy", load.busy}}},
          {"waiting", load.waiting},
          {"memory_used_bytes", load.memory_used_bytes},
          {"memory_budget_bytes", load.memory_budget_bytes}};
}

caf::error on_its_own() {
  return make_error(errc::invalid_argument, "the node is on its own: cluster.port makes it one of a cluster");
}

/// A request that wants this node to leave is answered after all others: its end does not wait for it.
class end_of_this_node {
public:
  end_of_this_node(node_context& node, const std::string& wanted)
    : awaiting_{wanted == node.node_name ? &node.awaiting_end : nullptr} {
    if (awaiting_)
      ++*awaiting_;
  }
  ~end_of_this_node() {
    if (awaiting_)
      --*awaiting_;
  }
  end_of_this_node(const end_of_this_node&) = delete;
  end_of_this_node& operator=(const end_of_this_node&) = delete;

private:
  size_t* awaiting_;
};

} // namespace

task<void> list_members(node_context& node, exchange& x) {
  json::array rows;
  if (const auto& membership = node.actors.actors().membership) {
    const auto all = co_await node.actors.ask<std::vector<member>>(membership, limits::query_time_max, atom::members{});
    if (!all) {
      set_error(x.out, dialect::plain, all.error());
      co_return;
    }
    for (const auto& who : *all)
      rows.push_back(json_of(who));
  }
  x.out.body = json::serialize(json::object{{"members", std::move(rows)}});
}

task<void> drain_member(node_context& node, exchange& x) {
  const auto& membership = node.actors.actors().membership;
  if (!membership) {
    set_error(x.out, dialect::plain, on_its_own());
    co_return;
  }
  const caf::timespan patience{limits::drain_time_max};
  const end_of_this_node awaits{node, x.where.name};
  const auto done = co_await node.actors.ask<caf::unit_t>(membership, limits::drain_time_max + limits::query_time_max,
                                                          atom::drain{}, x.where.name, patience);
  if (done)
    x.out.body = R"({"state":"drained"})";
  else
    set_error(x.out, dialect::plain, done.error());
}

} // namespace troupe::http
