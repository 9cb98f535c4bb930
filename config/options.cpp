#include "config/options.hpp"

#include "config/balancing.hpp"
#include "config/cluster.hpp"
#include "config/ipv4.hpp"
#include "config/limits.hpp"
#include "config/names.hpp"
#include "config/packages.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace troupe::config {

using namespace std::chrono_literals;

namespace {

constexpr std::array<std::string_view, 5> log_levels{"trace", "debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 2> isolation_levels{"full", "relaxed"};
constexpr std::array<std::string_view, 2> log_formats{"text", "json"};
constexpr std::array<std::string_view, 2> booleans{"false", "true"};

bool is_path(std::string_view text) {
  return !text.empty() && text.size() <= limits::path_bytes_max && text.find('\0') == std::string_view::npos;
}

bool is_role_list(std::string_view text) {
  return parse_roles(text).has_value();
}

bool is_seed_list(std::string_view text) {
  return parse_seeds(text).has_value();
}

bool is_address(std::string_view text) {
  const std::string address{text};
  in_addr v4{};
  in6_addr v6{};
  return inet_pton(AF_INET, address.c_str(), &v4) == 1 || inet_pton(AF_INET6, address.c_str(), &v6) == 1;
}

bool is_address_or_empty(std::string_view text) {
  return text.empty() || is_address(text);
}

bool is_path_or_empty(std::string_view text) {
  return text.empty() || is_path(text);
}

bool is_egress_range(std::string_view text) {
  const auto range = parse_ipv4_range(text);
  return range && range->prefix >= limits::egress_prefix_min && range->prefix <= limits::egress_prefix_max;
}

bool is_range_list(std::string_view text) {
  const auto list = parse_ipv4_ranges(text);
  return list && list->size() <= limits::egress_denied_max;
}

/// A sandbox's own loopback has no name server.
bool is_name_server_list(std::string_view text) {
  const auto list = parse_ipv4_ranges(text);
  return list && list->size() <= limits::name_servers_max
      && std::ranges::all_of(*list, [](ipv4_range of) { return of.prefix == 32 && of.first >> 24 != 127; });
}

bool is_module_list(std::string_view text) {
  return parse_module_names(text).has_value();
}

bool is_directory_list(std::string_view text) {
  return parse_directories(text).has_value();
}

/// As in ISO 4217. Only its form is checked: the ledger attaches no meaning to it.
bool is_currency(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

template <auto Member>
constexpr auto node = in<&settings::node, Member>;
template <auto Member>
constexpr auto http = in<&settings::http, Member>;
template <auto Member>
constexpr auto cluster = in<&settings::cluster, Member>;
template <auto Member>
constexpr auto balancer = in<&settings::balancer, Member>;
template <auto Member>
constexpr auto worker = in<&settings::worker, Member>;
template <auto Member>
constexpr auto ledger = in<&settings::ledger, Member>;
template <auto Member>
constexpr auto billing = in<&settings::billing, Member>;
template <auto Member>
constexpr auto logging = in<&settings::log, Member>;

const std::array declared{
  option{"node.name", text_option{node<&node_settings::name>, label_rule, is_label},
         "The node's name in records and logs."},
  option{"node.data-dir", text_option{node<&node_settings::data_dir>, "a path of 1 to 1024 bytes", is_path},
         "Directory of the database and of unpacked bundles; made when it is missing. One node at a time owns it."},

  option{"node.roles",
         text_option{node<&node_settings::roles>, "one or more of balancer, worker and handler-store", is_role_list},
         "What the node does for its cluster: serve HTTP, run functions, keep them. One node keeps functions."},

  option{"http.address",
         text_option{http<&http_settings::address>,
                     "a loopback address such as 127.0.0.1 or ::1: this version does not check signatures",
                     is_loopback},
         "Address to listen on."},
  option{"http.port", port_option{http<&http_settings::port>},
         "Port to listen on; 0 lets the system choose a free one, which the log names."},
  option{"http.connections-max", count_option{http<&http_settings::connections_max>, 1, limits::connections_max},
         "Connections that may be open at one time."},
  option{"http.header-timeout",
         duration_option{http<&http_settings::header_timeout>, limits::client_timeout_min, limits::client_timeout_max},
         "From a request's first byte to the end of its header; a slower client gets 408."},
  option{"http.body-timeout",
         duration_option{http<&http_settings::body_timeout>, limits::client_timeout_min, limits::client_timeout_max},
         "How long a request's body may make no progress; a slower client gets 408."},
  option{"http.idle-timeout",
         duration_option{http<&http_settings::idle_timeout>, limits::client_timeout_min, limits::client_timeout_max},
         "How long a connection is kept open between two requests."},

  option{"cluster.name", text_option{cluster<&cluster_settings::name>, label_rule, is_label},
         "The cluster's name; nodes of another name are turned away."},
  option{"cluster.address", text_option{cluster<&cluster_settings::address>, "an IPv4 or IPv6 address", is_address},
         "Address on which the node listens for others."},
  option{"cluster.port", port_option{cluster<&cluster_settings::port>},
         "Port on which it does; 0: the node is on its own."},
  option{"cluster.advertise",
         text_option{cluster<&cluster_settings::advertise>, "an IPv4 or IPv6 address", is_address_or_empty},
         "Address at which others reach the node; when empty the one that they see."},
  option{"cluster.seeds",
         text_option{cluster<&cluster_settings::seeds>,
                     "up to 64 of HOST:PORT such as 10.0.0.1:7400, separated by commas", is_seed_list},
         "Nodes that this one asks to join; it learns of the others from any that answers."},
  option{"cluster.heartbeat",
         duration_option{cluster<&cluster_settings::heartbeat>, limits::heartbeat_min, limits::heartbeat_max},
         "Between two signs of life that nodes give each other."},
  option{"cluster.death-after",
         duration_option{cluster<&cluster_settings::death_after>, limits::heartbeat_min, limits::death_after_max},
         "A node that is silent for so long is taken for dead; several times the heartbeat."},
  option{"cluster.tls-certificate",
         text_option{cluster<&cluster_settings::tls_certificate>, "a path of 1 to 1024 bytes", is_path_or_empty},
         "PEM file of the node's certificate, whose name is the node's; with it nodes speak TLS 1.3 only."},
  option{"cluster.tls-key",
         text_option{cluster<&cluster_settings::tls_key>, "a path of 1 to 1024 bytes", is_path_or_empty},
         "PEM file of its key."},
  option{"cluster.tls-ca",
         text_option{cluster<&cluster_settings::tls_ca>, "a path of 1 to 1024 bytes", is_path_or_empty},
         "PEM file of the authority whose certificates are believed."},
  option{"cluster.insecure", choice_option{cluster<&cluster_settings::insecure>, booleans},
         "true: listen beyond loopback without TLS. Whoever reaches the port can then run code on every node."},

  option{"balancer.policy", choice_option{balancer<&balancer_settings::policy>, policy_names},
         "Which worker runs an invocation: warm-first takes one with an idle sandbox of the version."},

  option{"worker.memory",
         size_option{worker<&worker_settings::memory_bytes>, limits::worker_memory_bytes_min,
                     limits::worker_memory_bytes_max, "four fifths of the machine's memory"},
         "What all sandboxes may use: each counts with its limit, or with what it holds while it stands still."},
  option{"worker.idle-timeout",
         duration_option{worker<&worker_settings::idle_timeout>, limits::sandbox_idle_min, limits::sandbox_idle_max},
         "How long a sandbox is kept without work before it is removed."},
  option{"worker.freeze-after", duration_option{worker<&worker_settings::freeze_after>, 0ms, limits::sandbox_idle_max},
         "How long a sandbox is without work before all of its processes stand still, until the next invocation."},
  option{"worker.template-after",
         duration_option{worker<&worker_settings::template_after>, 0ms, limits::template_after_max},
         "A version whose handler takes longer to load gets a template once it needs a second sandbox: a locked-down "
         "process that has loaded it, of which further sandboxes are copies. 0s: none does."},
  option{"worker.isolation", choice_option{worker<&worker_settings::isolation>, isolation_levels},
         "full: every layer of isolation, or the node does not start; relaxed: without cgroup controllers that are "
         "missing, and without the limits of memory, processes and CPU that they make."},
  option{"worker.queue-limit", count_option{worker<&worker_settings::queue_limit>, 1, limits::queue_max},
         "Invocations that may wait for a sandbox; one more gets 429."},
  option{"worker.sandboxes-max", count_option{worker<&worker_settings::sandboxes_max>, 1, limits::sandboxes_max},
         "Sandboxes that may exist at one time."},
  option{"worker.blank-sandboxes",
         count_option{worker<&worker_settings::blank_sandboxes>, 0, limits::blank_sandboxes_max},
         "Sandboxes that are kept ready for whichever function is next, about 2 MB each, one fewer for every four that "
         "have a function; with 0 a cold start takes longer."},
  option{"worker.drain-timeout", duration_option{worker<&worker_settings::drain_timeout>, 0ms, limits::drain_time_max},
         "How long a stop of the node waits for invocations that are running."},
  option{"worker.egress-range",
         text_option{worker<&worker_settings::egress_range>,
                     "an IPv4 range of prefix length 8 to 20 such as 10.221.0.0/16", is_egress_range},
         "Where sandboxes with network egress have their addresses; nothing else of the machine may use them."},
  option{"worker.egress-deny",
         text_option{worker<&worker_settings::egress_deny>,
                     "up to 64 IPv4 ranges such as 10.0.0.0/8, separated by commas", is_range_list},
         "What sandboxes with network egress may not reach besides the machine, each other and link-local addresses."},
  option{"worker.egress-dns",
         text_option{worker<&worker_settings::egress_dns>,
                     "up to 3 IPv4 addresses outside 127.0.0.0/8, separated by commas", is_name_server_list},
         "Name servers of the sandboxes; when empty those of the machine, unless they listen on its loopback only."},
  option{"worker.packages",
         text_option{worker<&worker_settings::packages>,
                     "up to 256 names of Python modules such as numpy or PIL.Image, separated by commas",
                     is_module_list},
         "Installed modules that zygotes may load ahead for functions that import them; those in layers are known."},
  option{"worker.layers",
         text_option{worker<&worker_settings::layers>, "up to 8 absolute paths of directories, separated by commas",
                     is_directory_list},
         "Directories with Python packages (pip install --target) that every function can import."},
  option{"worker.zygote-memory",
         size_option{worker<&worker_settings::zygote_memory_bytes>, limits::zygote_memory_bytes_min,
                     limits::worker_memory_bytes_max, "none"},
         "What zygotes with packages may hold together, at most an eighth of worker.memory, which it is taken from."},

  option{"ledger.flush-interval",
         duration_option{ledger<&ledger_settings::flush_interval>, 0ms, limits::flush_interval_max},
         "How much of the latest records a kill -9 may lose; with 0 each is stored before its invocation is answered."},

  option{"billing.granularity",
         duration_option{billing<&billing_settings::granularity>, limits::granularity_min, limits::granularity_max},
         "Run time is billed in steps of this length, rounded up."},
  option{"billing.currency",
         text_option{billing<&billing_settings::currency>, "three capital letters such as USD", is_currency},
         "Currency of the prices, as ISO 4217 names it."},
  option{"billing.price-per-gb-second",
         money_option{billing<&billing_settings::price_per_gb_second_pico>, limits::price_pico_max},
         "Price of one GiB of memory limit held for one second of billed time."},
  option{"billing.price-per-request",
         money_option{billing<&billing_settings::price_per_request_pico>, limits::price_pico_max},
         "Price of one invocation, added to that of its time."},

  option{"log.level", choice_option{logging<&log_settings::level>, log_levels},
         "The least important messages that are logged."},
  option{"log.format", choice_option{logging<&log_settings::format>, log_formats},
         "Lines for people, or one JSON object a line."},
};

constexpr std::string_view no_limit = "no limit";

const std::array declared_of_tenants{
  tenant_option{"tenant.memory",
                size_option{of_tenant<&tenant_settings::memory_bytes>, limits::worker_memory_bytes_min,
                            limits::worker_memory_bytes_max, no_limit},
                "The most that the memory limits of its sandboxes may add up to."},
  tenant_option{"tenant.concurrency",
                count_option{of_tenant<&tenant_settings::concurrency>, 1U, limits::concurrency_max, no_limit},
                "Invocations of its functions that may run at one time."},
  tenant_option{"tenant.requests-per-second",
                count_option{of_tenant<&tenant_settings::requests_per_second>, 1U, limits::tenant_rate_max, no_limit},
                "Invocations a second that it may ask for, with a burst of one second's worth; one more gets 429."},
  tenant_option{"tenant.weight", count_option{of_tenant<&tenant_settings::weight>, 1U, limits::tenant_weight_max},
                "Its share when there is not enough for all: twice the weight gets twice as much."},
};

/// Levenshtein's distance: how many letters have to be put in, taken out or replaced.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

template <class Options>
auto find_among(const Options& all, std::string_view name) -> decltype(all.data()) {
  const auto found = std::find_if(all.begin(), all.end(), [name](const auto& of) { return of.name == name; });
  return found == all.end() ? nullptr : &*found;
}

template <class Options>
auto nearest_among(const Options& all, std::string_view name) -> decltype(all.data()) {
  constexpr size_t typos_max = 3;
  if (name.size() > limits::path_bytes_max)
    return nullptr;
  const auto nearer = [name](const auto& a, const auto& b) { return distance(name, a.name) < distance(name, b.name); };
  const auto& best = *std::min_element(all.begin(), all.end(), nearer);
  return distance(name, best.name) <= typos_max ? &best : nullptr;
}

} // namespace

std::span<const option> options() {
  return declared;
}

const option* find_option(std::string_view name) {
  return find_among(declared, name);
}

const option* nearest_option(std::string_view name) {
  return nearest_among(declared, name);
}

std::span<const tenant_option> tenant_options() {
  return declared_of_tenants;
}

const tenant_option* find_tenant_option(std::string_view name) {
  return find_among(declared_of_tenants, name);
}

const tenant_option* nearest_tenant_option(std::string_view name) {
  return nearest_among(declared_of_tenants, name);
}

} // namespace troupe::config
