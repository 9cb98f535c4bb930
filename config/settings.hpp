#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

/// What a user may set, one struct a section of the configuration file. The members' defaults are the program's
/// defaults; names, units, bounds and help texts are declared once, in config/options.cpp.
namespace troupe::config {

using std::chrono::milliseconds;

struct node_settings {
  std::string name = "n1";
  std::string data_dir = "/var/lib/troupe";
  std::string roles = "balancer, worker, handler-store"; ///< what it does for the cluster
};

struct http_settings {
  std::string address = "127.0.0.1";
  uint16_t port = 8080;
  uint32_t connections_max = 4096;
  milliseconds header_timeout{10'000}; ///< from a request's first byte to the end of its header
  milliseconds body_timeout{30'000};   ///< without any progress in the body
  milliseconds idle_timeout{75'000};   ///< between two requests on one connection
};

/// How nodes meet. Those with certificates speak TLS 1.3 with each other, and nobody else can join.
struct cluster_settings {
  std::string name = "troupe"; ///< nodes of another name are strangers
  std::string address = "127.0.0.1";
  uint16_t port = 0;     ///< 0: the node is on its own
  std::string advertise; ///< where others reach it; empty: as they see it
  std::string seeds;     ///< HOST:PORT of nodes to ask, separated by commas
  milliseconds heartbeat{250};
  milliseconds death_after{1'500}; ///< of silence: the node is taken for dead
  std::string tls_certificate;     ///< PEM files; its name is the node's
  std::string tls_key;
  std::string tls_ca; ///< whose certificates are believed
  std::string insecure = "false";
};

struct balancer_settings {
  std::string policy = "warm-first";
};

struct worker_settings {
  uint64_t memory_bytes = 0; ///< what all sandboxes may use; 0: four fifths of the machine's
  milliseconds idle_timeout{600'000};
  uint32_t queue_limit = 1024;
  uint32_t sandboxes_max = 500;
  milliseconds freeze_after{10};               ///< how long a sandbox is without work before it stands still
  milliseconds template_after{50};             ///< versions whose loading takes longer are copied; 0: none
  std::string isolation = "full";              ///< or relaxed: without the limits that the machine lacks
  uint32_t blank_sandboxes = 24;               ///< kept ready for whichever function is next, about 2 MB each
  milliseconds drain_timeout{30'000};          ///< how long a stop waits for what runs
  std::string egress_range = "10.221.0.0/16";  ///< where sandboxes that may reach out have their addresses
  std::string egress_deny;                     ///< ranges that they may not reach besides, separated by commas
  std::string egress_dns;                      ///< their name servers; empty: the machine's
  std::string packages;                        ///< Python modules that zygotes may load ahead, separated by commas
  std::string layers;                          ///< directories with packages for all functions, separated by commas
  uint64_t zygote_memory_bytes = 256ULL << 20; ///< of zygotes with packages; 0: none
};

struct ledger_settings {
  milliseconds flush_interval{100}; ///< how much a kill -9 may lose; 0: each record is stored before its answer
};

/// Money is integer: prices are in pico (10^-12) of the currency.
struct billing_settings {
  milliseconds granularity{1};
  std::string currency = "USD";
  uint64_t price_per_gb_second_pico = 16'666'700;
  uint64_t price_per_request_pico = 200'000;
};

struct log_settings {
  std::string level = "info";
  std::string format = "text"; ///< or json
};

/// What one tenant may use. One that the file does not name has these defaults.
struct tenant_settings {
  uint64_t memory_bytes = 0;        ///< the sum of the memory limits of its sandboxes; 0: no limit
  uint32_t concurrency = 0;         ///< invocations that run at one time; 0: no limit
  uint32_t requests_per_second = 0; ///< 0: no limit
  uint32_t weight = 1;              ///< its share, beside those of others, when there is not enough for all
};

struct settings {
  node_settings node;
  http_settings http;
  cluster_settings cluster;
  balancer_settings balancer;
  worker_settings worker;
  ledger_settings ledger;
  billing_settings billing;
  log_settings log;
  std::map<std::string, tenant_settings> tenants; ///< by name, from the file's [tenant.NAME]
};

} // namespace troupe::config
