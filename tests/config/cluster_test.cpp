#define CAF_SUITE config.cluster

#include "config/cluster.hpp"

#include "config/errc.hpp"
#include "config/resolve.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <set>

using namespace troupe;
using namespace troupe::config;

CAF_TEST(roles are read and printed) {
  CAF_CHECK(parse_roles("worker") == (node_roles{false, true, false}));
  CAF_CHECK(parse_roles(" handler-store,balancer ") == (node_roles{true, false, true}));
  CAF_CHECK_EQUAL(to_string(node_roles{true, false, true}), "balancer, handler-store");
  for (const char* bad : {"", "workers", "worker,", "worker, worker, worker, worker"})
    CAF_CHECK(!parse_roles(bad));
}

CAF_TEST(addresses of nodes are read and printed) {
  for (const char* good : {"10.0.0.1:7400", "[::1]:7400", "store.example:1"}) {
    const auto address = parse_node_address(good);
    CAF_REQUIRE(address);
    CAF_CHECK_EQUAL(to_string(*address), good);
  }
  CAF_CHECK_EQUAL(parse_node_address("[fd00::2]:80")->host, "fd00::2");
  for (const char* bad :
       {"", "10.0.0.1", ":7400", "a:0", "a:65536", "a:7400x", "::1:7400", "[a]:7400", "a b:1", "[]:1"})
    CAF_CHECK(!parse_node_address(bad));
}

CAF_TEST(seeds are a list of addresses) {
  CAF_CHECK(parse_seeds("")->empty());
  CAF_CHECK_EQUAL(parse_seeds("a:1, [::1]:2")->size(), 2u);
  CAF_CHECK(!parse_seeds("a:1,,b:2"));
  std::string many = "a:1";
  for (int i = 0; i < 64; ++i)
    many += ",a:1";
  CAF_CHECK(!parse_seeds(many));
}

CAF_TEST(settings of a cluster are checked together) {
  const auto problem = [](const settings& of) {
    const auto failure = check_cluster(of);
    return failure ? what_of(failure) : std::string{};
  };
  settings of;
  CAF_CHECK_EQUAL(problem(of), "");
  of.cluster.seeds = "a:1";
  CAF_CHECK_EQUAL(problem(of), "cluster.seeds needs cluster.port, where the others reach this node");
  of.cluster.seeds.clear();
  of.node.roles = "worker";
  CAF_CHECK_EQUAL(problem(of), "node.roles needs cluster.port: a node on its own has all roles");
  of.cluster.port = 7400;
  CAF_CHECK_EQUAL(problem(of), "");
  of.cluster.address = "0.0.0.0";
  CAF_CHECK(problem(of).starts_with("cluster.address 0.0.0.0 is reached by other machines: "));
  of.cluster.insecure = "true";
  CAF_CHECK_EQUAL(problem(of), "");
  of.cluster.insecure = "false";
  of.cluster.tls_key = "n1.key";
  CAF_CHECK(problem(of).ends_with("are set all three or not at all"));
  of.cluster.tls_certificate = "n1.pem";
  of.cluster.tls_ca = "ca.pem";
  CAF_CHECK_EQUAL(problem(of), "");
}

CAF_TEST(the sample configurations are those of one cluster) {
  const std::pair<const char*, node_roles> samples[] = {{"store.conf", {true, false, true}},
                                                        {"worker.conf", {false, true, false}},
                                                        {"balancer.conf", {true, false, false}}};
  const auto directory = std::filesystem::path{TROUPE_SOURCE_DIR} / "config" / "cluster";
  const std::filesystem::directory_iterator all{directory};
  CAF_CHECK_EQUAL(std::distance(begin(all), end(all)), 3);
  std::set<std::string> names, addresses, seeds;
  for (const auto& [file, roles] : samples) {
    CAF_MESSAGE(file);
    sources from;
    from.file = directory / file;
    const auto read = resolve(from);
    CAF_REQUIRE(read);
    const auto& of = read->values;
    const auto problem = check_cluster(of);
    CAF_CHECK_EQUAL(problem ? what_of(problem) : "", "");
    CAF_CHECK(parse_roles(of.node.roles) == roles);
    CAF_CHECK_EQUAL(of.cluster.insecure, "false");
    CAF_CHECK_EQUAL(of.cluster.tls_certificate, "/etc/troupe/" + of.node.name + ".pem");
    CAF_CHECK_EQUAL(of.cluster.tls_key, "/etc/troupe/" + of.node.name + ".key");
    names.insert(of.node.name);
    addresses.insert(to_string(node_address{of.cluster.address, of.cluster.port}));
    const auto asked = parse_seeds(of.cluster.seeds);
    CAF_REQUIRE(asked);
    for (const auto& seed : *asked)
      seeds.insert(to_string(seed));
  }
  CAF_CHECK_EQUAL(names.size(), 3u);
  CAF_CHECK_EQUAL(addresses.size(), 3u);
  CAF_CHECK(std::includes(addresses.begin(), addresses.end(), seeds.begin(), seeds.end()));
}
