#define CAF_SUITE config.cluster

#include "config/cluster.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

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
