#pragma once

#include "config/ipv4.hpp"
#include "handlers/sandbox/netlink.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe::handlers {

struct egress_settings {
  std::string name;                       ///< unique on the machine, 1 to 64 of a-z, 0-9 and '-': the node's cgroup's
  std::string run_dir;                    ///< where it is noted what was changed on the machine
  config::ipv4_range range;               ///< where the sandboxes' addresses come from; of egress_prefix_min to _max
  std::vector<config::ipv4_range> denied; ///< not to be reached besides
};

/// The host's end of a sandbox's way out.
struct egress_plug {
  std::string interface;
  uint32_t address = 0; ///< the sandbox's, in the order of the host
};

/// The way out for sandboxes with `network = "egress"`: a veth pair each, and one nftables table that decides where
/// they may go (egress_rules.cpp). While one exists, the machine forwards IPv4 and tracks connections: so it is made
/// for the first function that asks for it. Blocking; owned by the factory and used by one thread, in the network
/// namespace in which it was made.
///
/// How the factory uses it: `clear_left_overs` when it starts, `make` at the first egress launch, `plug` for a blank
/// sandbox that waits for its function (/proc/PID/ns/net). Nothing is unplugged: a pair ends with its namespace, and
/// that with the last process in it.
class egress_network {
public:
  /// Fails with not_supported and what to do: without nft, without the privilege, or with a range that overlaps a
  /// route of the machine.
  static caf::expected<std::unique_ptr<egress_network>> make(egress_settings settings);

  /// Undoes what a killed node has changed; a look for one file when there was none. Not while an object exists.
  static void clear_left_overs(const egress_settings& settings);

  /// Removes the table, after which established connections end; and switches forwarding off when it was off.
  ~egress_network();

  egress_network(const egress_network&) = delete;
  egress_network& operator=(const egress_network&) = delete;

  /// Gives the namespace an interface eth0 with an address and a route. The namespace has to be nobody's yet, and gets
  /// that once. Fails with sandbox_failed and leaves nothing behind then.
  caf::expected<egress_plug> plug(int network_namespace);

private:
  egress_network(egress_settings settings, netlink_socket host);

  caf::error check_routes();
  caf::error change_machine();
  caf::expected<egress_plug> make_pair(int network_namespace);
  caf::error set_up_host_end(const egress_plug& pair);
  caf::error wait_for_host_end(const egress_plug& pair);
  caf::error set_up_inner_end(uint32_t address, int network_namespace);
  uint32_t gateway() const noexcept { return settings_.range.first + 1; }

  egress_settings settings_;
  netlink_socket host_;
  std::string interface_; ///< what the names of the host's ends begin with
  bool ipv6_;             ///< whether the kernel has it
  uint32_t next_;         ///< the address that is tried next, as its place in the range
};

} // namespace troupe::handlers
