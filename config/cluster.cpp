#include "config/cluster.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "config/text_list.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe::config {

namespace {

struct role {
  std::string_view name;
  bool node_roles::*member;
};

constexpr std::array<role, 3> roles{{{"balancer", &node_roles::balancer},
                                     {"worker", &node_roles::worker},
                                     {"handler-store", &node_roles::handler_store}}};

bool is_role(std::string_view text) {
  return std::ranges::any_of(roles, [text](const role& each) { return each.name == text; });
}

bool is_host(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'
        || c == ':';
  };
  return !text.empty() && text.size() <= limits::host_bytes_max && std::ranges::all_of(text, allowed);
}

bool is_node_address(std::string_view text) {
  return parse_node_address(text).has_value();
}

} // namespace

std::optional<node_roles> parse_roles(std::string_view text) {
  const auto names = parse_list(text, roles.size(), is_role);
  if (!names || names->empty())
    return std::nullopt;
  node_roles result;
  for (const auto& name : *names)
    result.*std::ranges::find(roles, name, &role::name)->member = true;
  return result;
}

std::string to_string(node_roles of) {
  std::string text;
  for (const auto& each : roles)
    if (of.*each.member)
      text += (text.empty() ? "" : ", ") + std::string{each.name};
  return text;
}

std::optional<node_address> parse_node_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return std::nullopt;
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed)
    host = host.substr(1, host.size() - 2);
  if (!is_host(host) || bracketed != (host.find(':') != std::string_view::npos))
    return std::nullopt;
  node_address result{std::string{host}, 0};
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (problem != std::errc{} || end != digits.data() + digits.size() || result.port == 0)
    return std::nullopt;
  return result;
}

std::string to_string(const node_address& of) {
  return of.host.find(':') == std::string::npos ? fmt::format("{}:{}", of.host, of.port)
                                                : fmt::format("[{}]:{}", of.host, of.port);
}

std::optional<std::vector<node_address>> parse_seeds(std::string_view text) {
  const auto items = parse_list(text, limits::seeds_max, is_node_address);
  if (!items)
    return std::nullopt;
  std::vector<node_address> result;
  for (const auto& item : *items)
    result.push_back(*parse_node_address(item));
  return result;
}

bool is_loopback(std::string_view address) {
  const std::string text{address};
  if (in_addr v4{}; inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_clustered(const settings& of) {
  return of.cluster.port != 0;
}

caf::error check_cluster(const settings& of) {
  const auto& cluster = of.cluster;
  const auto wrong = [](std::string what) { return make_error(errc::invalid_argument, std::move(what)); };
  const bool clustered = is_clustered(of);
  if (!clustered && !cluster.seeds.empty())
    return wrong("cluster.seeds needs cluster.port, where the others reach this node");
  if (!clustered && parse_roles(of.node.roles) != node_roles{true, true, true})
    return wrong("node.roles needs cluster.port: a node on its own has all roles");
  const bool any_tls = !cluster.tls_certificate.empty() || !cluster.tls_key.empty() || !cluster.tls_ca.empty();
  const bool all_tls = !cluster.tls_certificate.empty() && !cluster.tls_key.empty() && !cluster.tls_ca.empty();
  if (any_tls && !all_tls)
    return wrong("cluster.tls-certificate, cluster.tls-key and cluster.tls-ca are set all three or not at all");
  if (clustered && !all_tls && !is_loopback(cluster.address) && cluster.insecure != "true")
    return wrong(fmt::format("cluster.address {} is reached by other machines: set cluster.tls-certificate, -key and "
                             "-ca (troupe cluster certs makes some), or cluster.insecure = true in a network where "
                             "everybody is trusted",
                             cluster.address));
  return {};
}

} // namespace troupe::config
