#define CAF_SUITE config.resolve

#include "config/resolve.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <caf/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <unistd.h>

using namespace troupe;
using namespace troupe::config;

namespace {

/// A configuration file in a temporary directory of its own.
struct fixture {
  fixture() {
    char name[] = "/tmp/troupe-config-XXXXXX";
    directory = mkdtemp(name);
    from.file = directory / "troupe.conf";
  }

  ~fixture() { std::filesystem::remove_all(directory); }

  void write(std::string_view text) { std::ofstream{*from.file, std::ios::binary} << text; }

  /// The error of that file, with its path cut down to the name; empty when it is right.
  std::string error_of(std::string_view text) {
    write(text);
    return error();
  }

  std::string error() {
    const auto result = resolve(from);
    if (result)
      return {};
    auto what = what_of(result.error());
    if (const auto at = what.find(directory.string()); at != std::string::npos)
      what.erase(at, directory.string().size() + 1);
    return what;
  }

  std::filesystem::path directory;
  sources from;
};

origin origin_of(const resolved_options& all, std::string_view name) {
  return all.origins[static_cast<size_t>(find_option(name) - options().data())];
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(resolve_tests, fixture)

CAF_TEST(without any source there are the defaults) {
  const auto all = resolve({});
  CAF_REQUIRE(all);
  CAF_CHECK_EQUAL(all->values.http.port, 8080);
  CAF_CHECK_EQUAL(to_string(origin_of(*all, "http.port")), "default");
}

CAF_TEST(every kind of value can stand in a file) {
  write("[node]\nname = \"n7\"\n[http]\nport = 9000\nidle-timeout = \"1min\"\n[worker]\nmemory = \"2GiB\"\n"
        "queue-limit = 5\n[billing]\nprice-per-request = \"0.0000004\"\n[log]\nlevel = \"warn\"\n");
  const auto all = resolve(from);
  CAF_REQUIRE(all);
  CAF_CHECK_EQUAL(all->values.node.name, "n7");
  CAF_CHECK_EQUAL(all->values.http.port, 9000);
  CAF_CHECK(all->values.http.idle_timeout == std::chrono::minutes{1});
  CAF_CHECK_EQUAL(all->values.worker.memory_bytes, 2'147'483'648u);
  CAF_CHECK_EQUAL(all->values.worker.queue_limit, 5u);
  CAF_CHECK_EQUAL(all->values.billing.price_per_request_pico, 400'000u);
  CAF_CHECK_EQUAL(all->values.log.level, "warn");
  CAF_CHECK_EQUAL(all->values.http.address, "127.0.0.1");
}

CAF_TEST(command line over environment over file over default) {
  write("[http]\nport = 1001\nconnections-max = 101\nidle-timeout = \"11s\"\n");
  from.environment = {{"TROUPE_HTTP_PORT", "1002"}, {"TROUPE_HTTP_CONNECTIONS_MAX", "102"}};
  from.command_line = {{"http.port", "1003"}};
  const auto all = resolve(from);
  CAF_REQUIRE(all);
  CAF_CHECK_EQUAL(all->values.http.port, 1003);
  CAF_CHECK_EQUAL(all->values.http.connections_max, 102u);
  CAF_CHECK(all->values.http.idle_timeout == std::chrono::seconds{11});
  CAF_CHECK(all->values.http.body_timeout == std::chrono::seconds{30});
  CAF_CHECK_EQUAL(to_string(origin_of(*all, "http.port")), "command line --http.port");
  CAF_CHECK_EQUAL(to_string(origin_of(*all, "http.connections-max")), "environment TROUPE_HTTP_CONNECTIONS_MAX");
  CAF_CHECK_EQUAL(to_string(origin_of(*all, "http.idle-timeout")), "file " + from.file->string() + ":4");
  CAF_CHECK_EQUAL(to_string(origin_of(*all, "http.body-timeout")), "default");
}

CAF_TEST(errors of a file name file and line and key) {
  const std::pair<std::string_view, std::string_view> table[] = {
    {"[http]\n\nprot = 1\n", "troupe.conf:3: http.prot: there is no such option, did you mean http.port?"},
    {"[http]\nquite-different = 1\n", "troupe.conf:2: http.quite-different: there is no such option"},
    {"[htpp]\nport = 1\n", "troupe.conf:1: htpp: there is no such section"},
    {"port = 1\n", "troupe.conf:1: port: must stand in a section, or be one: [section]"},
    {"http = 1\n", "troupe.conf:1: http: must stand in a section, or be one: [section]"},
    {"[[http]]\nport = 1\n", "troupe.conf:1: http: must stand in a section, or be one: [section]"},
    {"[http]\nport = 99999\n", "troupe.conf:2: http.port: \"99999\" is out of bounds: 0 to 65535"},
    {"[http]\nport = -1\n", "troupe.conf:2: http.port: \"-1\" is not a whole number"},
    {"[http]\nport = \"8080\"\n", "troupe.conf:2: http.port: must be a whole number, without quotes"},
    {"[http]\nport = 80.5\n", "troupe.conf:2: http.port: must be a whole number, without quotes"},
    {"[http]\nport = true\n", "troupe.conf:2: http.port: must be a whole number, without quotes"},
    {"[http]\nport = [1]\n", "troupe.conf:2: http.port: must be a whole number, without quotes"},
    {"[http]\nidle-timeout = 5\n", "troupe.conf:2: http.idle-timeout: must be a string in quotes"},
    {"[http.port]\nx = 1\n", "troupe.conf:1: http.port: must be a whole number, without quotes"},
    {"[http]\nidle-timeout = \"5\"\n",
     "troupe.conf:2: http.idle-timeout: \"5\" is not a duration such as 100ms, 3s, 10min or 1h"},
    {"[billing]\nprice-per-request = 0.0000002\n",
     "troupe.conf:2: billing.price-per-request: must be a string in quotes"},
  };
  for (const auto& [text, error] : table)
    CAF_CHECK_EQUAL(error_of(text), error);
}

CAF_TEST(tenants have tables of their own) {
  write("[tenant.default]\nrequests-per-second = 5\n[tenant.acme]\nmemory = \"2GiB\"\nconcurrency = 7\nweight = 3\n"
        "[tenant.a-1]\n[worker]\nqueue-limit = 5\n");
  const auto all = resolve(from);
  CAF_REQUIRE(all);
  const auto& tenants = all->values.tenants;
  CAF_REQUIRE_EQUAL(tenants.size(), 3u);
  CAF_CHECK_EQUAL(tenants.at("default").requests_per_second, 5u);
  CAF_CHECK_EQUAL(tenants.at("default").weight, 1u);
  CAF_CHECK_EQUAL(tenants.at("acme").memory_bytes, 2'147'483'648u);
  CAF_CHECK_EQUAL(tenants.at("acme").concurrency, 7u);
  CAF_CHECK_EQUAL(tenants.at("acme").requests_per_second, 0u);
  CAF_CHECK_EQUAL(tenants.at("acme").weight, 3u);
  CAF_CHECK_EQUAL(tenants.at("a-1").concurrency, 0u);
  CAF_CHECK_EQUAL(all->values.worker.queue_limit, 5u);
  const auto at = static_cast<size_t>(find_tenant_option("tenant.concurrency") - tenant_options().data());
  CAF_CHECK_EQUAL(to_string(all->tenant_origins.at("acme")[at]), "file " + from.file->string() + ":5");
  CAF_CHECK_EQUAL(to_string(all->tenant_origins.at("a-1")[at]), "default");
}

CAF_TEST(errors of a tenant name file and line and key) {
  const std::pair<std::string_view, std::string_view> table[] = {
    {"[tenant.acme]\n\nconcurency = 1\n",
     "troupe.conf:3: tenant.acme.concurency: there is no such option, did you mean tenant.acme.concurrency?"},
    {"[tenant.acme]\nquite-different = 1\n", "troupe.conf:2: tenant.acme.quite-different: there is no such option"},
    {"[tenant]\nmemory = \"1GiB\"\n", "troupe.conf:2: tenant.memory: must stand in a tenant's table: [tenant.NAME]"},
    {"tenant = 1\n", "troupe.conf:1: tenant: must stand in a section, or be one: [section]"},
    {"[tenant.Acme]\n", "troupe.conf:1: tenant: a tenant's name is 1 to 63 of a-z, 0-9 and inner hyphens"},
    {"[tenant.\"\"]\n", "troupe.conf:1: tenant: a tenant's name is 1 to 63 of a-z, 0-9 and inner hyphens"},
    {"[tenant.a]\nmemory = 5\n", "troupe.conf:2: tenant.a.memory: must be a string in quotes"},
    {"[tenant.a]\nmemory = \"1MiB\"\n",
     "troupe.conf:2: tenant.a.memory: \"1MiB\" is out of bounds: 128MiB to 64TiB, or 0 for no limit"},
    {"[tenant.a]\nconcurrency = \"5\"\n",
     "troupe.conf:2: tenant.a.concurrency: must be a whole number, without quotes"},
    {"[tenant.a]\nconcurrency = 100001\n",
     "troupe.conf:2: tenant.a.concurrency: \"100001\" is out of bounds: 1 to 100000, or 0 for no limit"},
    {"[tenant.a]\nrequests-per-second = -1\n",
     "troupe.conf:2: tenant.a.requests-per-second: \"-1\" is not a whole number"},
    {"[tenant.a]\nweight = 0\n", "troupe.conf:2: tenant.a.weight: \"0\" is out of bounds: 1 to 1000"},
  };
  for (const auto& [text, error] : table)
    CAF_CHECK_EQUAL(error_of(text), error);
}

CAF_TEST(the number of tenants is bounded) {
  std::string text;
  for (size_t i = 0; i < limits::tenants_max; ++i)
    text += "[tenant.t" + std::to_string(i) + "]\n";
  CAF_CHECK_EQUAL(error_of(text), "");
  const auto error = error_of(text + "[tenant.more]\n");
  CAF_CHECK(error.find("there are more than 1000 tenants") != std::string::npos);
}

CAF_TEST(the environment reaches no tenant) {
  from.file.reset();
  from.environment = {{"TROUPE_TENANT_ACME_MEMORY", "1GiB"}};
  CAF_CHECK_EQUAL(error(), "environment: TROUPE_TENANT_ACME_MEMORY: a tenant is set up in the configuration file only");
  from.environment = {{"TROUPE_TENANT", "acme"}}; // What the commands take as --tenant.
  CAF_CHECK_EQUAL(error(), "");
}

CAF_TEST(what is not TOML names file and line in one line) {
  for (const std::string_view text : {"[http]\nport = \n", "[http]\nport = 1\nport = 2\n", "[http\n", "\xff\xfe", "= 1",
                                      "[http]\nport = 0x\n", "[http]\nport = 99999999999999999999\n"}) {
    const auto what = error_of(text);
    CAF_MESSAGE(what);
    CAF_CHECK(what.starts_with("troupe.conf:"));
    CAF_CHECK(what.find("not TOML") != std::string::npos);
    CAF_CHECK(what.find('\n') == std::string::npos);
  }
}

CAF_TEST(deep and huge files are refused) {
  CAF_CHECK(!error_of("a = " + std::string(100'000, '[')).empty());
  CAF_CHECK_EQUAL(error_of(std::string((1 << 20) + 1, '#')), "troupe.conf: larger than 1048576 bytes");
}

CAF_TEST(a file that cannot be read is an error) {
  CAF_CHECK_EQUAL(error(), "troupe.conf: No such file or directory");
  CAF_CHECK(code_of(resolve(from).error()) == errc::io_error);
  from.file = directory;
  CAF_CHECK(!resolve(from));
}

CAF_TEST(an empty file is right) {
  CAF_CHECK_EQUAL(error_of(""), "");
  CAF_CHECK_EQUAL(error_of("# nothing\n[http]\n"), "");
}

CAF_TEST(a bad value is an error even when it is overridden) {
  from.command_line = {{"http.port", "1"}};
  CAF_CHECK_EQUAL(error_of("[http]\nport = 99999\n"),
                  "troupe.conf:2: http.port: \"99999\" is out of bounds: 0 to 65535");
}

CAF_TEST(errors of the environment name the variable) {
  from.file.reset();
  from.environment = {{"TROUPE_HTTP_PORT", "x"}};
  CAF_CHECK_EQUAL(error(), "TROUPE_HTTP_PORT: \"x\" is not a whole number");
  from.environment = {{"TROUPE_HTTP_PROT", "1"}};
  CAF_CHECK_EQUAL(error(), "environment: TROUPE_HTTP_PROT: there is no such option");
  from.environment = {{"TROUPE_ENDPOINT", "http://127.0.0.1:1"}, {"TROUPE_SOMETHING", "1"}};
  CAF_CHECK_EQUAL(error(), "");
}

CAF_TEST(errors of the command line name the option) {
  from.file.reset();
  from.command_line = {{"http.port", "x"}};
  CAF_CHECK_EQUAL(error(), "--http.port: \"x\" is not a whole number");
  from.command_line = {{"http.prot", "1"}};
  CAF_CHECK_EQUAL(error(), "--http.prot: there is no such option, did you mean --http.port?");
}

CAF_TEST(a list may be one of TOML) {
  write("[cluster]\nseeds = [\"a:1\", \"b:2\"]\ninsecure = true\n");
  const auto all = resolve(from);
  CAF_REQUIRE(all);
  CAF_CHECK_EQUAL(all->values.cluster.seeds, "a:1, b:2");
  CAF_CHECK_EQUAL(all->values.cluster.insecure, "true");
  write("[cluster]\nseeds = [1]\n");
  CAF_CHECK(error().ends_with("cluster.seeds: must be a string in quotes"));
}

CAF_TEST(the sample file is the defaults) {
  from.file = std::filesystem::path{TROUPE_SOURCE_DIR} / "config" / "troupe.conf.example";
  const auto all = resolve(from);
  CAF_REQUIRE(all);
  const settings defaults;
  for (const auto& of : options()) {
    CAF_MESSAGE(of.name);
    CAF_CHECK(origin_of(*all, of.name).from == source::file);
    CAF_CHECK_EQUAL(of.get(all->values), of.get(defaults));
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
