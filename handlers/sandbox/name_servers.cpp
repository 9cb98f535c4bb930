#include "handlers/sandbox/name_servers.hpp"

#include "config/ipv4.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <sstream>

namespace troupe::handlers {

std::vector<uint32_t> read_name_servers(std::string_view resolv_conf) {
  std::vector<uint32_t> result;
  std::istringstream lines{std::string{resolv_conf}};
  for (std::string line; std::getline(lines, line) && result.size() < limits::name_servers_max;) {
    std::istringstream words{line};
    std::string key;
    std::string address;
    if (!(words >> key >> address) || key != "nameserver")
      continue;
    const auto server = config::parse_ipv4_range(address);
    if (server && server->prefix == 32 && server->first >> 24 != 127 && server->first != 0) // 0: this machine
      result.push_back(server->first);
  }
  return result;
}

std::vector<uint32_t> name_servers_of(std::string_view chosen) {
  std::vector<uint32_t> result;
  for (const config::ipv4_range& each : config::parse_ipv4_ranges(chosen).value_or(std::vector<config::ipv4_range>{}))
    result.push_back(each.first);
  for (const char* file : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"})
    if (result.empty())
      result = read_name_servers(read_small_file(file).value_or(""));
  return result;
}

std::string resolv_conf_of(const std::vector<uint32_t>& servers) {
  std::string result;
  for (const uint32_t each : servers)
    result += "nameserver " + config::format_ipv4(each) + "\n";
  return result;
}

} // namespace troupe::handlers
