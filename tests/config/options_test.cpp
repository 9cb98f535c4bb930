#define CAF_SUITE config.options

#include "config/options.hpp"

#include "config/errc.hpp"
#include "config/names.hpp"
#include "config/reference.hpp"

#include <caf/test/unit_test.hpp>

#include <set>
#include <span>

using namespace troupe;
using namespace troupe::config;

namespace {

struct trial {
  std::string_view name;
  std::string_view text;
  std::string_view shown; ///< what get() answers afterwards; empty: refused
};

/// What `set` says about `text`; empty when it takes it.
std::string refusal(std::string_view name, std::string_view text) {
  settings all;
  const auto failure = find_option(name)->set(all, text);
  return failure ? what_of(failure) : std::string{};
}

void check_each(std::span<const trial> table) {
  for (const auto& row : table) {
    CAF_MESSAGE(row.name << " = " << row.text);
    settings all;
    const auto* of = find_option(row.name);
    const auto before = of->get(all);
    const auto failure = of->set(all, row.text);
    CAF_CHECK_EQUAL(bool{failure}, row.shown.empty());
    CAF_CHECK_EQUAL(of->get(all), row.shown.empty() ? before : std::string{row.shown});
    if (failure)
      CAF_CHECK(code_of(failure) == errc::invalid_argument);
  }
}

} // namespace

CAF_TEST(every option is declared once and well) {
  std::set<std::string_view> names;
  std::set<std::string> variables;
  for (const auto& of : options()) {
    CAF_MESSAGE(of.name);
    CAF_CHECK(names.insert(of.name).second);
    CAF_CHECK(variables.insert(of.environment()).second);
    CAF_CHECK(of.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-.") == std::string_view::npos);
    CAF_CHECK(!of.section().empty() && !of.key().empty());
    CAF_CHECK(of.help.ends_with('.'));
    CAF_CHECK(!of.bounds().empty());
  }
  CAF_CHECK_EQUAL(find_option("http.port")->environment(), "TROUPE_HTTP_PORT");
  CAF_CHECK_EQUAL(find_option("billing.price-per-gb-second")->environment(), "TROUPE_BILLING_PRICE_PER_GB_SECOND");
}

CAF_TEST(each option writes a member of its own) {
  const settings defaults;
  const std::map<std::string_view, std::string_view> other{
    {"PORT", "81"}, {"COUNT", "7"}, {"DURATION", "7s"}, {"SIZE", "7GiB"}, {"AMOUNT", "7"}};
  const std::map<std::string_view, std::string_view> words{{"node.name", "other"},
                                                           {"node.data-dir", "/other"},
                                                           {"node.roles", "worker"},
                                                           {"cluster.name", "other"},
                                                           {"cluster.address", "::"},
                                                           {"cluster.advertise", "10.0.0.1"},
                                                           {"cluster.seeds", "other:1"},
                                                           {"cluster.tls-certificate", "/other"},
                                                           {"cluster.tls-key", "/other"},
                                                           {"cluster.tls-ca", "/other"},
                                                           {"cluster.insecure", "true"},
                                                           {"balancer.policy", "random"},
                                                           {"http.address", "127.0.0.9"},
                                                           {"billing.currency", "EUR"},
                                                           {"worker.isolation", "relaxed"},
                                                           {"log.level", "debug"},
                                                           {"log.format", "json"},
                                                           {"worker.egress-range", "10.9.0.0/16"},
                                                           {"worker.egress-deny", "192.168.0.0/16"},
                                                           {"worker.egress-dns", "192.0.2.53"},
                                                           {"worker.packages", "numpy"},
                                                           {"worker.layers", "/srv/layer"}};
  for (const auto& of : options()) {
    CAF_MESSAGE(of.name);
    settings changed;
    const auto text = other.count(of.type()) > 0 ? other.at(of.type()) : words.at(of.name);
    CAF_CHECK(!of.set(changed, text));
    CAF_CHECK_EQUAL(of.get(changed), text);
    for (const auto& another : options())
      if (another.name != of.name)
        CAF_CHECK_EQUAL(another.get(changed), another.get(defaults));
  }
}

CAF_TEST(defaults are within their own bounds) {
  for (const auto& of : options()) {
    settings all;
    const auto text = of.get(all);
    CAF_MESSAGE(of.name << " = " << text);
    CAF_CHECK(!of.set(all, text));
    CAF_CHECK_EQUAL(of.get(all), text);
  }
}

CAF_TEST(values are checked against bounds) {
  const trial table[] = {
    {"http.port", "0", "0"},
    {"http.port", "65535", "65535"},
    {"http.port", "65536", ""},
    {"http.port", "-1", ""},
    {"http.port", "8o80", ""},
    {"http.port", "", ""},
    {"http.port", "18446744073709551616", ""},
    {"http.connections-max", "1", "1"},
    {"http.connections-max", "65536", "65536"},
    {"http.connections-max", "0", ""},
    {"http.connections-max", "65537", ""},
    {"http.header-timeout", "100ms", "100ms"},
    {"http.header-timeout", "60min", "1h"},
    {"http.header-timeout", "99ms", ""},
    {"http.header-timeout", "61min", ""},
    {"http.header-timeout", "5", ""},
    {"worker.memory", "0", "0B"},
    {"worker.memory", "128MiB", "128MiB"},
    {"worker.memory", "64TiB", "64TiB"},
    {"worker.memory", "127MiB", ""},
    {"worker.memory", "65TiB", ""},
    {"worker.memory", "4G", ""},
    {"worker.sandboxes-max", "1000", "1000"},
    {"worker.sandboxes-max", "1001", ""},
    {"worker.drain-timeout", "0", "0ms"},
    {"worker.drain-timeout", "21min", ""},
    {"ledger.flush-interval", "0ms", "0ms"},
    {"ledger.flush-interval", "11s", ""},
    {"billing.granularity", "100ms", "100ms"},
    {"billing.granularity", "0ms", ""},
    {"billing.price-per-request", "0.000000000001", "0.000000000001"},
    {"billing.price-per-request", "1000", "1000"},
    {"billing.price-per-request", "1000.000000000001", ""},
    {"billing.price-per-request", "-1", ""},
    {"billing.price-per-request", "1e-7", ""},
    {"billing.currency", "EUR", "EUR"},
    {"billing.currency", "eur", ""},
    {"billing.currency", "EURO", ""},
    {"log.level", "debug", "debug"},
    {"log.level", "Debug", ""},
    {"log.level", "", ""},
    {"node.name", "n-2", "n-2"},
    {"node.name", "-n", ""},
    {"node.name", "a b", ""},
    {"node.name", "", ""},
    {"node.data-dir", "relative/too", "relative/too"},
    {"node.data-dir", "", ""},
    {"node.data-dir", std::string_view{"a\0b", 3}, ""},
    {"http.address", "127.0.0.1", "127.0.0.1"},
    {"http.address", "127.255.0.9", "127.255.0.9"},
    {"http.address", "::1", "::1"},
    {"http.address", "0.0.0.0", ""},
    {"http.address", "10.0.0.1", ""},
    {"http.address", "::", ""},
    {"http.address", "::ffff:10.0.0.1", ""},
    {"http.address", "localhost", ""},
    {"http.address", "128.0.0.1", ""},
    {"http.address", "", ""},
  };
  check_each(table);
}

CAF_TEST(networks are checked) {
  const trial table[] = {
    {"worker.egress-range", "10.0.0.0/8", "10.0.0.0/8"},
    {"worker.egress-range", "172.20.16.0/20", "172.20.16.0/20"},
    {"worker.egress-range", "172.20.16.0/21", ""},
    {"worker.egress-range", "0.0.0.0/7", ""},
    {"worker.egress-range", "10.0.0.1/16", ""},
    {"worker.egress-range", "10.0.0.0", ""},
    {"worker.egress-range", "", ""},
    {"worker.egress-deny", "10.0.0.0/8, 192.0.2.1", "10.0.0.0/8, 192.0.2.1"},
    {"worker.egress-deny", "10.0.0.0/8,", ""},
    {"worker.egress-deny", "10.0.0.0/33", ""},
    {"worker.egress-deny", "fd00::/8", ""},
    {"worker.egress-dns", "192.0.2.53,192.0.2.54", "192.0.2.53,192.0.2.54"},
    {"worker.egress-dns", "127.0.0.53", ""},
    {"worker.egress-dns", "192.0.2.0/24", ""},
  };
  check_each(table);
}

CAF_TEST(lists of addresses may be empty) {
  CAF_CHECK_EQUAL(refusal("worker.egress-deny", ""), "");
  CAF_CHECK_EQUAL(refusal("worker.egress-dns", ""), "");
}

CAF_TEST(packages and layers are checked) {
  const trial table[] = {
    {"worker.packages", "numpy, PIL.Image,_x", "numpy, PIL.Image,_x"},
    {"worker.packages", "numpy,", ""},
    {"worker.packages", "PIL..Image", ""},
    {"worker.packages", ".x", ""},
    {"worker.packages", "x.", ""},
    {"worker.packages", "3d", ""},
    {"worker.packages", "os;rm", ""},
    {"worker.layers", "/srv/a b, /srv/c", "/srv/a b, /srv/c"},
    {"worker.layers", "srv", ""},
    {"worker.layers", "/a,/b,/c,/d,/e,/f,/g,/h,/i", ""},
    {"worker.zygote-memory", "0", "0B"},
    {"worker.zygote-memory", "1MiB", ""},
  };
  check_each(table);
  CAF_CHECK_EQUAL(refusal("worker.packages", ""), "");
  CAF_CHECK_EQUAL(refusal("worker.layers", " "), "");
}

CAF_TEST(refusals say what would be right) {
  CAF_CHECK_EQUAL(refusal("http.port", "x"), "\"x\" is not a whole number");
  CAF_CHECK_EQUAL(refusal("http.port", "99999"), "\"99999\" is out of bounds: 0 to 65535");
  CAF_CHECK_EQUAL(refusal("worker.idle-timeout", "5"), "\"5\" is not a duration such as 100ms, 3s, 10min or 1h");
  CAF_CHECK_EQUAL(refusal("worker.memory", "1MiB"),
                  "\"1MiB\" is out of bounds: 128MiB to 64TiB, or 0 for four fifths of the machine's memory");
  CAF_CHECK_EQUAL(refusal("log.format", "xml"), "\"xml\" is not one of text, json");
  CAF_CHECK_EQUAL(
    refusal("http.address", "0.0.0.0"),
    "\"0.0.0.0\" is not a loopback address such as 127.0.0.1 or ::1: this version does not check signatures");
  // One line, whatever was given.
  CAF_CHECK_EQUAL(refusal("log.format", "a\nb\x1b[31m"), "\"a?b?[31m\" is not one of text, json");
  CAF_CHECK(refusal("log.format", std::string(100'000, 'x')).size() < 200);
}

CAF_TEST(a name that is nearly right is recognised) {
  CAF_CHECK_EQUAL(nearest_option("http.prot")->name, "http.port");
  CAF_CHECK_EQUAL(nearest_option("billing.price-per-gbsecond")->name, "billing.price-per-gb-second");
  CAF_CHECK(nearest_option("something.else") == nullptr);
  CAF_CHECK(nearest_option(std::string(1'000'000, 'a')) == nullptr);
  CAF_CHECK(find_option("http") == nullptr);
  CAF_CHECK(find_option("") == nullptr);
}

CAF_TEST(what a tenant may set is declared once and well) {
  const std::map<std::string_view, std::string_view> other{{"COUNT", "7"}, {"SIZE", "7GiB"}};
  const tenant_settings defaults;
  std::set<std::string_view> names;
  for (const auto& of : tenant_options()) {
    CAF_MESSAGE(of.name);
    CAF_CHECK(names.insert(of.name).second);
    CAF_CHECK_EQUAL(of.section(), "tenant");
    CAF_CHECK(find_option(of.name) == nullptr);
    CAF_CHECK(of.help.ends_with('.'));
    CAF_CHECK(find_tenant_option(of.name) == &of);
    tenant_settings changed;
    CAF_CHECK(!of.set(changed, of.get(defaults)));
    CAF_CHECK(!of.set(changed, other.at(of.type())));
    CAF_CHECK_EQUAL(of.get(changed), other.at(of.type()));
    for (const auto& another : tenant_options())
      if (another.name != of.name)
        CAF_CHECK_EQUAL(another.get(changed), another.get(defaults));
  }
}

CAF_TEST(names of nodes and tenants are labels) {
  for (const std::string_view good : {"a", "default", "a-1", "9"})
    CAF_CHECK(is_label(good));
  for (const std::string_view bad : {"", "-", "a-", "-a", "A", "a b", "a_b", "a.b", "\xc3\xa4"})
    CAF_CHECK(!is_label(bad));
  CAF_CHECK(is_label(std::string(63, 'a')));
  CAF_CHECK(!is_label(std::string(64, 'a')));
}

CAF_TEST(the reference page shows every option) {
  const auto page = reference_page();
  const auto help = tenant_help();
  for (const auto& of : tenant_options()) {
    CAF_CHECK(page.find("| `" + std::string{of.key()} + "` |") != std::string::npos);
    CAF_CHECK(help.find(std::string{of.help}) != std::string::npos);
    CAF_CHECK(help.find(of.bounds()) != std::string::npos);
  }
  for (const auto& of : options()) {
    CAF_CHECK(page.find(std::string{of.help}) != std::string::npos);
    CAF_CHECK(page.find(of.environment()) != std::string::npos);
  }
}
