#define CAF_SUITE actors.gate

#include "actors/cluster/gate.hpp"

#include "config/limits.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/test/unit_test.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "cluster_bed.hpp"

#include <sstream>

using namespace troupe;
using namespace troupe::cluster;
using namespace std::chrono_literals;

namespace {

struct system_config : caf::actor_system_config {
  system_config() {
    add_message_types<caf::id_block::troupe>();
    add_message_types<caf::id_block::troupe_handles>();
    add_message_types<caf::id_block::troupe_cluster>();
    set("scheduler.max-threads", size_t{1});
  }
};

uint16_t free_port() {
  return test::listener{}.port();
}

/// A gate, and the test in its membership's place.
struct node {
  node(caf::actor_system& system, const std::string& name, const std::string& roles)
    : id{uuid::make()}, inbox{system}, at{"127.0.0.1", free_port()} {
    config::settings settings;
    settings.node.name = name;
    settings.node.roles = roles;
    settings.cluster.name = "c";
    settings.cluster.address = at.host;
    settings.cluster.port = at.port;
    entry = std::move(gate::open(settings, id).value());
    entry->report_to(caf::actor_cast<membership_inner>(inbox));
  }

  /// The next thing that its membership hears, as a word; "nothing" when that takes too long.
  std::string next() {
    std::string what = "nothing";
    inbox->receive(
      [&](atom::join, const peer_ptr& link) {
        links.push_back(link);
        what = "join " + link->name;
      },
      [&](atom::refuse, const config::node_address& where) { what = "refuse " + std::to_string(where.port); },
      [&](atom::again, const acquaintance& who) {
        what = "again " + who.name + " " + std::to_string(who.address.port);
      },
      caf::after(10s) >> [] {});
    return what;
  }

  /// What CAF would write first to who has come in.
  void speak() { CAF_CHECK_EQUAL(::send(links.back()->socket.get(), "x", 1, MSG_NOSIGNAL), 1); }

  uuid id;
  caf::scoped_actor inbox;
  config::node_address at;
  std::vector<peer_ptr> links;
  std::unique_ptr<gate> entry;
};

std::string port_text(const node& of) {
  return std::to_string(of.at.port);
}

struct fixture {
  fixture() {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    spdlog::flush_on(spdlog::level::debug);
  }
  ~fixture() { spdlog::set_default_logger(before); }

  std::unique_ptr<node> open(const std::string& name, const std::string& roles = "worker") {
    return std::make_unique<node>(system, name, roles);
  }

  /// The log may be written by the other thread until its gate has gone.
  size_t lines_with(std::string_view words) const {
    const auto text = log.str();
    size_t count = 0;
    for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1))
      ++count;
    return count;
  }

  std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  std::ostringstream log;
  system_config config;
  caf::actor_system system{config};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(gate_tests, fixture)

CAF_TEST(the one whose name comes first dials and the other is dialled back) {
  auto n1 = open("n1");
  auto n2 = open("n2");
  n2->entry->dial(n1->at);
  CAF_CHECK_EQUAL(n1->next(), "again n2 " + port_text(*n2));
  CAF_CHECK_EQUAL(n2->next(), "refuse " + port_text(*n1));
  n1->entry->dial(n2->at);
  CAF_REQUIRE_EQUAL(n2->next(), "join n1");
  CAF_CHECK(!n2->links.back()->dialled_at);
  n2->speak();
  CAF_REQUIRE_EQUAL(n1->next(), "join n2");
  const auto& link = *n1->links.back();
  CAF_CHECK(link.dialled_at == n2->at);
  CAF_CHECK(link.id == n2->id);
  CAF_CHECK(link.roles == config::node_roles{.worker = true});
  n1.reset();
  n2.reset();
  CAF_CHECK_EQUAL(lines_with("going to dial"), 0u); // It is as it should be.
}

CAF_TEST(who is there is turned away and so are doubles of its name) {
  auto n1 = open("n1");
  auto n2 = open("n2");
  n2->entry->admit({{"n1", {n1->id, {}}}});
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n1->next(), "refuse " + port_text(*n2));
  n2->entry->admit({{"n1", {uuid::make(), {}}}});
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n1->next(), "refuse " + port_text(*n2));
  n2->entry->admit({});
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n2->next(), "join n1");
  // Until the membership has said something else it counts as there.
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n1->next(), "refuse " + port_text(*n2));
  n1.reset();
  n2.reset();
  CAF_CHECK_EQUAL(lines_with("connected already"), 0u); // Nothing is wrong with that.
  CAF_CHECK(lines_with("there is a node n1 in the cluster already") >= 1);
}

CAF_TEST(an id that a third node has is refused) {
  auto n1 = open("n1");
  auto n2 = open("n2");
  n2->entry->admit({{"n3", {n1->id, {}}}});
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n1->next(), "refuse " + port_text(*n2));
  n1.reset();
  n2.reset();
  CAF_CHECK(lines_with("n1 and n3 have the same id: start one of them anew") >= 1);
}

CAF_TEST(only one node keeps the functions) {
  auto first = open("n1", "handler-store");
  auto second = open("n2", "handler-store, balancer");
  auto third = open("n3", "worker");
  first->entry->dial(second->at);
  CAF_CHECK_EQUAL(first->next(), "refuse " + port_text(*second));
  // Who keeps none knows of one that does.
  third->entry->admit({{"n1", {first->id, {.handler_store = true}}}});
  second->entry->dial(third->at);
  CAF_CHECK_EQUAL(second->next(), "refuse " + port_text(*third));
  first.reset();
  second.reset();
  third.reset();
  const auto told = [&](const std::string& newcomer) {
    return lines_with("may have the role handler-store, so take it out of " + newcomer + "'s node.roles");
  };
  // Who has dialled has written its line before it says so here; the other side may end first. `e2e.cluster` has both.
  CAF_CHECK(told("n1") >= 1);
  CAF_CHECK(told("n2") >= 1);
  CAF_CHECK(lines_with("node n1 keeps the functions of this cluster, and n2 would, too") >= 1);
}

CAF_TEST(a cluster has a bound) {
  auto n2 = open("n2");
  std::map<std::string, presence> many;
  for (size_t i = 0; many.size() + 1 < limits::members_max; ++i)
    many.emplace("x" + std::to_string(i), presence{uuid::make(), {}});
  n2->entry->admit(many);
  auto n1 = open("n1");
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n1->next(), "refuse " + port_text(*n2));
}

CAF_TEST(a closed gate lets nobody in) {
  auto n1 = open("n1");
  auto n2 = open("n2");
  n2->entry->close();
  n1->entry->dial(n2->at);
  CAF_CHECK_EQUAL(n1->next(), "refuse " + port_text(*n2));
}

CAF_TEST(what is wrong is logged once) {
  auto n1 = open("n1");
  const config::node_address nobody{"127.0.0.1", free_port()};
  for (int i = 0; i < 3; ++i) {
    n1->entry->dial(nobody);
    CAF_CHECK_EQUAL(n1->next(), "refuse " + std::to_string(nobody.port));
  }
  n1.reset();
  CAF_CHECK_EQUAL(lines_with("no link with"), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
