#pragma once

#include "config/settings.hpp"

#include <caf/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the settings of a cluster mean.
namespace troupe::config {

/// What a node does for the cluster.
struct node_roles {
  bool balancer = false;      ///< serves HTTP, and hands invocations to workers
  bool worker = false;        ///< runs functions
  bool handler_store = false; ///< keeps functions and bundles: one node of a cluster

  bool operator==(const node_roles&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, node_roles& x) {
    return f(x.balancer, x.worker, x.handler_store);
  }
};

/// "balancer, worker"; nullopt when one is no role, or there is none.
std::optional<node_roles> parse_roles(std::string_view text);

/// As parse_roles reads it.
std::string to_string(node_roles of);

/// Where a node of the cluster listens for others.
struct node_address {
  std::string host; ///< a name or an address
  uint16_t port = 0;

  bool operator==(const node_address&) const = default;
  auto operator<=>(const node_address&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, node_address& x) {
    return f(x.host, x.port);
  }
};

/// "10.0.0.1:7400", "[::1]:7400" or "store.example:7400"; nullopt when it is none of these.
std::optional<node_address> parse_node_address(std::string_view text);

/// As parse_node_address reads it.
std::string to_string(const node_address& of);

/// At most limits::seeds_max, separated by commas; empty text is an empty list.
std::optional<std::vector<node_address>> parse_seeds(std::string_view text);

/// Whether it is an address that no other machine reaches.
bool is_loopback(std::string_view address);

/// Whether the node is to meet others.
bool is_clustered(const settings& of);

/// What is wrong with settings that are right each for itself. Fails with invalid_argument, naming the keys.
caf::error check_cluster(const settings& of);

} // namespace troupe::config
