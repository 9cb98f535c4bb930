#pragma once

#include "config/ipv4.hpp"

#include <string>
#include <vector>

/// What sandboxes with network egress may reach, as text in nft's language.
namespace troupe::handlers {

struct egress_rules {
  std::string table;     ///< its name, unique on the machine
  std::string interface; ///< what the names of the host's ends begin with
  config::ipv4_range range;
  std::vector<config::ipv4_range> denied;
};

/// Replaces the table, whether it is there or not.
std::string script_of(const egress_rules& rules);

/// Removes the table, whether it is there or not.
std::string removal_of(const std::string& table);

} // namespace troupe::handlers
