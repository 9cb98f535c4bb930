#include "handlers/sandbox/egress.hpp"

#include "config/errc.hpp"
#include "config/ids.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/egress_machine.hpp"
#include "handlers/sandbox/egress_rules.hpp"
#include "handlers/sandbox/nft.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

using link_address = std::array<uint8_t, 6>;

/// Each pair is a network of its own, so all have the same two; they are of those that nobody is sold.
constexpr link_address host_link{0x02, 0, 0, 0, 0, 0x01};
constexpr link_address inner_link{0x02, 0, 0, 0, 0, 0x02};
constexpr const char* inner_name = "eth0";

/// The range's first address is its network's, the second the gateway's, the last the broadcast's.
constexpr uint32_t first_place = 2;

uint32_t places_of(const config::ipv4_range& range) {
  return static_cast<uint32_t>(range.size() - first_place - 1);
}

std::string_view name_bytes(const std::string& name) {
  return {name.c_str(), name.size() + 1};
}

template <class T>
std::string_view bytes_of_value(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

ifinfomsg link_of(int index, unsigned flags = 0) {
  ifinfomsg result{};
  result.ifi_family = AF_UNSPEC;
  result.ifi_index = index;
  result.ifi_flags = flags;
  result.ifi_change = flags;
  return result;
}

/// Without a link-local address there is nothing of IPv6 on an interface. To be asked for before it is up.
netlink_request without_ipv6(int index) {
  netlink_request request{"keep IPv6 away", RTM_SETLINK, 0, link_of(index)};
  request.nest(IFLA_AF_SPEC, [&request] {
    request.nest(AF_INET6,
                 [&request] { request.put_value(IFLA_INET6_ADDR_GEN_MODE, uint8_t{IN6_ADDR_GEN_MODE_NONE}); });
  });
  return request;
}

/// Neither end asks who is there or answers that: both know each other.
netlink_request up(int index) {
  return {"raise an interface", RTM_SETLINK, 0, link_of(index, IFF_UP | IFF_NOARP)};
}

netlink_request neighbour(int index, uint32_t address, const link_address& link) {
  ndmsg body{};
  body.ndm_family = AF_INET;
  body.ndm_ifindex = index;
  body.ndm_state = NUD_PERMANENT; // such entries do not count against the machine's bound on all others
  netlink_request request{"add a neighbour", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body};
  request.put_value(NDA_DST, htonl(address)).put_value(NDA_LLADDR, link);
  return request;
}

rtmsg route_of(unsigned char scope, unsigned char bits) {
  rtmsg result{};
  result.rtm_family = AF_INET;
  result.rtm_dst_len = bits;
  result.rtm_table = RT_TABLE_MAIN;
  result.rtm_protocol = RTPROT_STATIC;
  result.rtm_scope = scope;
  result.rtm_type = RTN_UNICAST;
  return result;
}

bool is_identifier(const std::string& name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 64 && name[0] >= 'a' && std::ranges::all_of(name, allowed);
}

/// "tr", five digits that are the node's own, '-'; an address's place in at most six digits follows: 15 are allowed.
std::string interface_prefix(const std::string& name) {
  return "tr" + digest::of(std::string_view{name}).hex().substr(0, 5) + "-";
}

} // namespace

egress_network::egress_network(egress_settings settings, netlink_socket host)
  : settings_{std::move(settings)},
    host_{std::move(host)},
    interface_{interface_prefix(settings_.name)},
    ipv6_{::access("/proc/sys/net/ipv6", F_OK) == 0},
    // The machine may still follow connections of addresses that an earlier node gave out.
    next_{std::random_device{}()} {}

caf::expected<std::unique_ptr<egress_network>> egress_network::make(egress_settings settings) {
  if (::geteuid() != 0)
    return make_error(errc::not_supported, "network egress without root: start the node as root");
  if (!is_identifier(settings.name) || settings.range.prefix < limits::egress_prefix_min
      || settings.range.prefix > limits::egress_prefix_max)
    return make_error(errc::invalid_argument, "the name or the range of the network for egress");
  auto host = netlink_socket::open();
  if (!host)
    return host.error();
  clear_left_overs(settings);
  std::unique_ptr<egress_network> result{new egress_network{std::move(settings), std::move(*host)}};
  if (auto err = result->check_routes())
    return err;
  if (auto err = result->change_machine())
    return err;
  return result;
}

void egress_network::clear_left_overs(const egress_settings& settings) {
  restore_machine(settings.run_dir, settings.name);
}

egress_network::~egress_network() {
  restore_machine(settings_.run_dir, settings_.name);
}

/// Addresses that are somebody's already would be taken from him. A default route is nobody's.
caf::error egress_network::check_routes() {
  rtmsg every{};
  every.rtm_family = AF_INET;
  std::string found;
  const int error = host_.list({"list routes", RTM_GETROUTE, 0, every}, [&](const nlmsghdr& message) {
    const auto route = read_route(message);
    if (route && route->to.prefix > 0 && route->to.overlaps(settings_.range) && found.empty()
        && !route->interface.starts_with(interface_)) // of a sandbox that is ending
      found = config::format_ipv4_range(route->to) + (route->interface.empty() ? "" : " dev " + route->interface);
  });
  if (error != 0)
    return make_error(errc::sandbox_failed, std::string{"list the machine's routes: "} + std::strerror(error));
  if (found.empty())
    return {};
  return make_error(errc::not_supported, "worker.egress-range " + config::format_ipv4_range(settings_.range)
                                           + " overlaps the machine's route " + found
                                           + ": choose a range that nothing here uses");
}

caf::error egress_network::change_machine() {
  if (auto err = note_machine(settings_.run_dir))
    return err;
  auto loaded = run_nft(script_of({settings_.name, interface_, settings_.range, settings_.denied}));
  return loaded ? switch_forwarding_on() : std::move(loaded.error());
}

caf::expected<egress_plug> egress_network::plug(int network_namespace) {
  auto pair = make_pair(network_namespace);
  if (!pair)
    return pair;
  // The end that is raised last takes packets at once; the other one when the kernel comes to it.
  auto problem = set_up_host_end(*pair);
  if (!problem)
    problem = set_up_inner_end(pair->address, network_namespace);
  if (!problem)
    problem = wait_for_host_end(*pair);
  if (!problem)
    return pair;
  netlink_request removal{"remove a veth pair", RTM_DELLINK, 0, link_of(host_.index_of(pair->interface))};
  host_.run({&removal, 1});
  return problem;
}

/// The inner end is made where it belongs: moving an interface takes the kernel longer than making it. Addresses take
/// turns, so that one is not given out again while the machine still follows connections of its last owner; the name
/// tells whether one is in use.
caf::expected<egress_plug> egress_network::make_pair(int network_namespace) {
  for (size_t attempt = 0; attempt <= limits::sandbox_cells_max; ++attempt) {
    const uint32_t place = first_place + next_++ % places_of(settings_.range);
    egress_plug result{fmt::format("{}{:x}", interface_, place), settings_.range.first + place};
    netlink_request request{"make a veth pair", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link_of(0)};
    request.put(IFLA_IFNAME, name_bytes(result.interface)).put_value(IFLA_ADDRESS, host_link);
    request.put_value(IFLA_NUM_TX_QUEUES, uint32_t{1}).put_value(IFLA_NUM_RX_QUEUES, uint32_t{1});
    const auto peer = [&] {
      request.put(IFLA_IFNAME, name_bytes(inner_name)).put_value(IFLA_ADDRESS, inner_link);
      request.put_value(IFLA_NUM_TX_QUEUES, uint32_t{1}).put_value(IFLA_NUM_RX_QUEUES, uint32_t{1});
      request.put_value(IFLA_NET_NS_FD, static_cast<uint32_t>(network_namespace));
    };
    request.nest(IFLA_LINKINFO, [&] {
      request.put(IFLA_INFO_KIND, "veth");
      request.nest(IFLA_INFO_DATA, [&] { request.nest(VETH_INFO_PEER, peer, bytes_of_value(link_of(0))); });
    });
    const int error = host_.run({&request, 1});
    if (error == 0)
      return result;
    if (error != EEXIST || host_.index_of(result.interface) == 0) // an eth0 inside is EEXIST, too
      return make_error(errc::sandbox_failed, std::string{"make a veth pair: "} + std::strerror(error));
  }
  return make_error(errc::sandbox_failed, "the range for network egress has no free address");
}

caf::error egress_network::set_up_host_end(const egress_plug& pair) {
  const int index = host_.index_of(pair.interface);
  std::vector<netlink_request> requests;
  if (ipv6_)
    requests.push_back(without_ipv6(index));
  requests.push_back(up(index));
  requests.emplace_back("add a route to the sandbox", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
                        route_of(RT_SCOPE_LINK, 32));
  requests.back().put_value(RTA_DST, htonl(pair.address)).put_value(RTA_OIF, index);
  requests.push_back(neighbour(index, pair.address, inner_link));
  return host_.carry_out(requests);
}

caf::error egress_network::wait_for_host_end(const egress_plug& pair) {
  if (const int error = host_.wait_until_up(host_.index_of(pair.interface)))
    return make_error(errc::sandbox_failed, std::string{"wait for a veth pair: "} + std::strerror(error));
  return {};
}

caf::error egress_network::set_up_inner_end(uint32_t address, int network_namespace) {
  auto inside = netlink_socket::open_in(network_namespace);
  if (!inside)
    return inside.error();
  const int index = inside->index_of(inner_name);
  ifaddrmsg own{};
  own.ifa_family = AF_INET;
  own.ifa_prefixlen = 32;
  own.ifa_index = static_cast<uint32_t>(index);
  rtmsg out = route_of(RT_SCOPE_UNIVERSE, 0);
  out.rtm_flags = RTNH_F_ONLINK; // the gateway is no neighbour by its address
  std::vector<netlink_request> requests;
  if (ipv6_)
    requests.push_back(without_ipv6(index));
  requests.emplace_back("add an address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, own);
  requests.back().put_value(IFA_LOCAL, htonl(address)).put_value(IFA_ADDRESS, htonl(address));
  requests.push_back(up(index));
  requests.push_back(neighbour(index, gateway(), host_link));
  requests.emplace_back("add the way out", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, out);
  requests.back().put_value(RTA_GATEWAY, htonl(gateway())).put_value(RTA_OIF, index);
  return inside->carry_out(requests);
}

} // namespace troupe::handlers
