#define CAF_SUITE actors.bad_peers

// Nodes of one cluster trust each other; still none can end another one, or have it grow without bound.
#include "actors/cluster/identity.hpp"
#include "actors/cluster/membership.hpp"
#include "config/errc.hpp"
#include "config/limits.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct system_config : caf::actor_system_config {
  explicit system_config(const uuid& id) {
    add_message_types<caf::id_block::troupe>();
    add_message_types<caf::id_block::troupe_handles>();
    add_message_types<caf::id_block::troupe_cluster>();
    set("scheduler.max-threads", size_t{1});
    set("middleman.workers", size_t{0});
    load<caf::io::middleman>();
    cluster::set_identity(*this, id);
  }
};

/// One process' part of a cluster.
struct side {
  explicit side(const uuid& chosen) : id{chosen}, config{chosen}, system{config}, self{system} {}

  uuid id;
  system_config config;
  caf::actor_system system;
  caf::scoped_actor self;
};

std::pair<unique_fd, unique_fd> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    throw std::runtime_error("no sockets");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

template <class Condition>
bool wait_until(Condition holds) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

size_t open_descriptors() {
  size_t count = 0;
  for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fd"})
    count += each.is_symlink() ? 1 : 0;
  return count;
}

/// Most that this process has ever had.
long peak_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

struct fixture {
  fixture() {
    membership_settings settings;
    settings.self.name = "n1";
    settings.self.id = victim.id;
    settings.self.roles = {.balancer = true};
    settings.link = [this](const peer_ptr& link) { cluster::make_link(victim.system, *link, mine); };
    settings.start_of = [](const caf::strong_actor_ptr& of) { return cluster::start_of(of->node()); };
    settings.spawner = caf::actor_cast<caf::actor>(victim.system.middleman().actor_handle());
    settings.dial = [this](const config::node_address&) { ++dials; };
    settings.admit = [](const std::map<std::string, presence>&) {};
    settings.close = [] {};
    settings.leave = [](caf::timespan) {};
    mine = victim.system.spawn(membership, std::move(settings));
    cluster::close_side_doors(victim.system);
  }
  ~fixture() {
    caf::anon_send_exit(mine, caf::exit_reason::user_shutdown);
    mine = membership_inner{};
    theirs = membership_actor{};
  }

  /// The door has let in a node of this hello; the other end of its socket.
  unique_fd let_in(const std::string& name, const uuid& id) {
    auto [near, far] = socket_pair();
    auto link = std::make_shared<peer_link>();
    link->name = name;
    link->id = id;
    link->roles = {.worker = true};
    link->address = {"127.0.0.1", 7402};
    link->socket = std::move(near);
    caf::anon_send(mine, atom::join::value, peer_ptr{std::move(link)});
    return std::move(far);
  }

  /// The bad peer is let in as n2, and has the victim's membership.
  void link_up() {
    peer_link link;
    link.name = "n1";
    link.address = {"127.0.0.1", 7401};
    link.dialled_at = link.address;
    link.socket = let_in("n2", bad.id);
    char first = 0;
    CAF_REQUIRE(wait_until([&] { return ::recv(link.socket.get(), &first, 1, MSG_PEEK) == 1; }));
    cluster::make_link(bad.system, link, caf::actor_cast<membership_inner>(bad.self));
    bad.self->receive([&](atom::join, const config::node_address&, const membership_actor& to) { theirs = to; },
                      [&](atom::refuse, const config::node_address&) {}, caf::after(20s) >> [] {});
    CAF_REQUIRE(theirs);
  }

  member honest() const {
    member what;
    what.name = "n2";
    what.id = bad.id;
    return what;
  }

  void announce(member what, std::vector<acquaintance> known = {}) {
    bad.self->send(theirs, atom::announce::value, std::move(what), std::move(known));
  }

  /// Asked by somebody on its own node; none when it does not answer.
  std::optional<std::vector<member>> members() {
    std::optional<std::vector<member>> result;
    victim.self->request(mine, 20s, atom::members::value)
      .receive([&](std::vector<member>& all) { result = std::move(all); }, [](const caf::error&) {});
    return result;
  }

  size_t member_count() {
    const auto all = members();
    return all ? all->size() : 0;
  }

  static bool has_ended(const unique_fd& socket) {
    char some[4096];
    const auto got = ::recv(socket.get(), some, sizeof some, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  }

  /// Whoever else comes is as welcome as ever.
  void check_unharmed() { CAF_CHECK(members().has_value()); }

  std::atomic<size_t> dials = 0;
  side victim{uuid::make()};
  side bad{uuid::make()};
  membership_inner mine;
  membership_actor theirs;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(bad_peers_tests, fixture)

CAF_TEST(an honest announcement makes a member over a real link) {
  link_up();
  announce(honest());
  CAF_CHECK(wait_until([&] { return member_count() == 2; }));
}

CAF_TEST(thousands of names are none of them members) {
  link_up();
  for (int i = 0; i < 5000; ++i) {
    auto what = honest();
    what.name = "x" + std::to_string(i);
    announce(what);
    what.name = "n2";
    what.id = uuid::make();
    announce(what);
  }
  announce(honest());
  CAF_CHECK(wait_until([&] { return member_count() == 2; }));
}

CAF_TEST(floods and long lists are lived through) {
  link_up();
  auto what = honest();
  what.load.busy = what.load.idle = what.load.starting = what.load.waiting = UINT32_MAX;
  what.load.memory_used_bytes = what.load.memory_budget_bytes = UINT64_MAX;
  what.cores = UINT32_MAX;
  what.since_ns = INT64_MIN;
  std::vector<acquaintance> many;
  for (int i = 0; i < 20'000; ++i)
    many.push_back({"n" + std::to_string(3 + i), {"192.0.2." + std::to_string(i % 256), static_cast<uint16_t>(i + 1)}});
  for (int i = 0; i < 20; ++i)
    announce(what, many);
  for (int i = 0; i < 20'000; ++i)
    announce(what);
  CAF_CHECK(wait_until([&] { return member_count() == 2; }));
  CAF_CHECK(dials <= 64u);
}

CAF_TEST(another node may spawn nothing but workers) {
  link_up();
  const auto node = caf::actor_cast<caf::strong_actor_ptr>(theirs)->node();
  for (const auto* type : {"worker", "membership", "launcher", "ledger", ""}) { // this node has no workers either
    const auto spawned = bad.system.middleman().remote_spawn<caf::actor>(node, type, caf::make_message(), 5s);
    CAF_CHECK(!spawned);
  }
  check_unharmed();
}

CAF_TEST(nothing can be stored with a node) {
  const auto settings = caf::actor_cast<caf::actor>(victim.system.config_serv());
  bool gone = false;
  victim.self->request(settings, 20s, caf::put_atom::value, std::string{"key"}, caf::make_message(1))
    .receive([] {}, [&](const caf::error&) { gone = true; });
  CAF_CHECK(gone);
  check_unharmed();
}

CAF_TEST(messages that it does not know are dropped) {
  link_up();
  const auto untyped = caf::actor_cast<caf::actor>(theirs);
  for (int i = 0; i < 100; ++i) {
    bad.self->send(untyped, std::string(10'000, 'x'));
    bad.self->send(untyped, atom::tick::value, i);
    bad.self->send(untyped, atom::announce::value, std::string{"n2"});
  }
  bad.self->request(untyped, 20s, atom::members::value)
    .receive([](const std::vector<member>&) {}, [](const caf::error&) {});
  check_unharmed();
}

CAF_TEST(bytes that are no message end the link) {
  for (const auto& bytes : {std::string(1000, '\xff'), std::string(1000, '\0'), std::string(100'000, 'x')}) {
    const auto far = let_in("n3", uuid::make());
    ::send(far.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    CAF_CHECK(wait_until([&] { return has_ended(far); }));
  }
  check_unharmed();
}

CAF_TEST(an announced length makes no memory ready) {
  const auto before = peak_mib();
  std::vector<unique_fd> kept;
  for (const uint8_t operation : {0, 1, 2, 3, 4, 5, 6}) {
    kept.push_back(let_in("n3", uuid::make()));
    // A header of CAF's protocol: operation, padding, flags, payload length, operation data, source and destination.
    std::string header(64, '\0');
    header[0] = static_cast<char>(operation);
    header[3] = 1;
    for (int i = 4; i < 8; ++i)
      header[i] = '\x7f';
    ::send(kept.back().get(), header.data(), header.size(), MSG_NOSIGNAL);
    CAF_CHECK(wait_until([&] { return has_ended(kept.back()); }));
  }
  check_unharmed();
  CAF_CHECK(peak_mib() - before < 300);
}

CAF_TEST(who is let in and then silent is cut) {
  const auto before = open_descriptors();
  std::vector<unique_fd> far;
  for (int i = 0; i < 20; ++i)
    far.push_back(let_in("x" + std::to_string(i), uuid::make()));
  for (const auto& each : far)
    CAF_CHECK(wait_until([&] { return has_ended(each); }));
  far.clear();
  CAF_CHECK(wait_until([&] { return open_descriptors() <= before; }));
  check_unharmed();
}

CAF_TEST_FIXTURE_SCOPE_END()
