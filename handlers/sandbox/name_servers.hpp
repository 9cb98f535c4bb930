#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Which name servers sandboxes ask. They have IPv4 only, and what listens on the machine's loopback is out of reach.
namespace troupe::handlers {

/// The first limits::name_servers_max IPv4 addresses outside loopback in a resolv.conf(5).
std::vector<uint32_t> read_name_servers(std::string_view resolv_conf);

/// Those that were chosen (worker.egress-dns: addresses separated by commas), or else the machine's: of
/// /etc/resolv.conf, or when that names a local resolver only, of the servers that systemd-resolved asks.
std::vector<uint32_t> name_servers_of(std::string_view chosen);

/// What a sandbox has as /etc/resolv.conf.
std::string resolv_conf_of(const std::vector<uint32_t>& servers);

} // namespace troupe::handlers
