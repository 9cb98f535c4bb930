#include "handlers/sandbox/egress_rules.hpp"

#include "config/limits.hpp"

#include <spdlog/fmt/fmt.h>

namespace troupe::handlers {
namespace {

/// Ranges that are nobody's to reach: "this" network, loopback, link-local with the metadata services of clouds,
/// multicast, and the reserved rest with the broadcast address.
constexpr std::string_view never = "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3";

/// One table, five places where a packet passes. {0} table, {1} interfaces, {2} range, {3} denied, {4} connections.
/// What is refused is answered, so that a handler which tries fails at once and is not billed for waiting; what cannot
/// be honest is dropped.
constexpr std::string_view rules = R"(
table inet {0} {{
  set denied {{
    type ipv4_addr
    flags interval
    auto-merge
    elements = {{ {3} }}
  }}

  set connections {{
    type ipv4_addr
    size 65535
    flags dynamic
  }}

  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with icmpx type admin-prohibited
  }}

  # From a sandbox, before anything is made of its destination. Behind the connection tracking, so that an answer is
  # known to belong to its packet.
  chain from_sandbox {{
    type filter hook prerouting priority mangle; policy accept;
    iifname != "{1}*" accept
    meta nfproto ipv6 drop
    # Strict: the route to the source is through this interface. A sandbox has its own address and no other.
    fib saddr . iif oif missing drop
    ct state invalid drop
    ip daddr @denied goto refuse
    fib daddr type != unicast goto refuse
    ct state new add @connections {{ ip saddr ct count over {4} }} goto refuse
  }}

  # To the machine itself: nothing, whatever others have made of the destination.
  chain to_machine {{
    type filter hook input priority filter - 5; policy accept;
    iifname "{1}*" drop
  }}

  chain through_machine {{
    type filter hook forward priority filter - 5; policy accept;
    iifname "{1}*" ip daddr @denied goto refuse
    oifname "{1}*" ct state established,related accept
    oifname "{1}*" drop
  }}

  chain from_machine {{
    type filter hook output priority filter - 5; policy accept;
    oifname "{1}*" ct state established,related accept
    oifname "{1}*" drop
  }}

  chain behind_machine {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {2} oifname != "{1}*" masquerade
  }}
}}
)";

} // namespace

std::string removal_of(const std::string& table) {
  return "table inet " + table + "\ndelete table inet " + table + "\n"; // the first makes one that was missing
}

std::string script_of(const egress_rules& of) {
  std::string denied = fmt::format("{}, {}", never, config::format_ipv4_range(of.range));
  for (const config::ipv4_range& each : of.denied)
    denied += ", " + config::format_ipv4_range(each);
  return removal_of(of.table)
       + fmt::format(rules, of.table, of.interface, config::format_ipv4_range(of.range), denied,
                     limits::egress_connections_max);
}

} // namespace troupe::handlers
