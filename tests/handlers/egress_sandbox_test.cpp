#define CAF_SUITE handlers.egress_sandbox

#include "handlers/sandbox/egress.hpp"

#include "egress_bed.hpp"
#include "sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <thread>

using namespace egress_bed;
using sandbox_bed::run;

namespace {

/// A machine with an internet, and a real sandbox on it that has a way out.
struct fixture : machine {
  bool ready() {
    if (!missing.empty()) {
      CAF_MESSAGE("skipped: " << missing);
      return false;
    }
    sandboxes.settings.name_servers = "203.0.113.10";
    sandboxes.open();
    net = network();
    process = sandboxes.runner_sandbox();
    const auto path = "/proc/" + std::to_string(process.pid) + "/ns/net";
    const unique_fd space{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    const auto plug = net->plug(space.get());
    if (!plug)
      throw std::runtime_error(troupe::what_of(plug.error()));
    return true;
  }

  ~fixture() {
    if (process.pid != 0)
      sandboxes.factory->bury(std::move(process));
  }

  sandbox_bed::bed sandboxes;
  std::unique_ptr<egress_network> net;
  sandbox_bed::sandbox_process process;
};

/// Answers a question for one name (RFC 1035): 203.0.113.10 when it is for IPv4 addresses, and nothing otherwise.
std::string dns_answer(const std::string& question) {
  const bool asks_ipv4 = question.substr(question.size() - 4) == std::string{"\0\1\0\1", 4};
  std::string answer = question.substr(0, 2)
                     + "\x81"
                       "\x80"
                     + question.substr(4);
  if (!asks_ipv4)
    return answer;
  answer[7] = 1; // how many answers
  return answer + std::string{"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\x0a", 16};
}

} // namespace

/// `to` says whom a connection leads to, or why there is none.
const std::string connecting = "import socket\n"
                               "def to(address):\n"
                               "    try:\n"
                               "        return socket.create_connection((address, 80), 5).getpeername()[0]\n"
                               "    except OSError as e:\n"
                               "        return e.strerror\n";

CAF_TEST_FIXTURE_SCOPE(egress_sandbox_tests, fixture)

CAF_TEST(a template and its copies reach the internet and not the machine) {
  using troupe::handlers::sandbox_role;
  if (!missing.empty()) {
    CAF_MESSAGE("skipped: " << missing);
    return;
  }
  sandboxes.settings.name_servers = "203.0.113.10";
  sandboxes.settings.egress_range = settings.range;
  sandboxes.open();
  const auto site = server(internet, "203.0.113.10");
  auto what = sandboxes.spec(
    sandboxes.bundle("template", connecting + "seen = to('203.0.113.10')\n" + std::string{sandbox_bed::runner}));
  what.reach = troupe::handlers::network::egress;
  what.role = sandbox_role::its_template;
  auto loaded = sandboxes.launch(what);
  CAF_REQUIRE(sandbox_bed::read_frame(loaded).has_value());
  CAF_CHECK_EQUAL(visitor_of(site), "203.0.113.1");
  CAF_CHECK_EQUAL(sandboxes.factory->examine(loaded), caf::error{});
  what.role = sandbox_role::sandbox;
  what.copy_of = loaded.slot;
  auto copy = sandboxes.launch(what);
  CAF_REQUIRE(sandbox_bed::read_frame(copy).has_value());
  CAF_CHECK_EQUAL(run(copy, "import main\nresult = main.seen"), R"("203.0.113.10")");
  CAF_CHECK_EQUAL(run(copy, "import main\nresult = main.to('203.0.113.10')"), R"("203.0.113.10")");
  CAF_CHECK_EQUAL(visitor_of(site), "203.0.113.1");
  CAF_CHECK_EQUAL(run(copy, "import main\nresult = main.to('203.0.113.1')"), R"("Connection refused")");
  sandboxes.factory->bury(std::move(copy));
  sandboxes.factory->bury(std::move(loaded));
}

CAF_TEST(a handler reaches the internet and not the machine) {
  if (!ready())
    return;
  const auto site = server(internet, "203.0.113.10");
  const auto here = server(present_namespace(), "203.0.113.1");
  CAF_CHECK_EQUAL(run(process, connecting + "result = to('203.0.113.10')"), R"("203.0.113.10")");
  CAF_CHECK_EQUAL(visitor_of(site), "203.0.113.1");
  CAF_CHECK_EQUAL(run(process, connecting + "result = to('203.0.113.1')"), R"("Connection refused")");
  CAF_CHECK_EQUAL(run(process, connecting + "result = to('169.254.169.254')"), R"("Connection refused")");
  CAF_CHECK_EQUAL(visitor_of(here), "");
}

CAF_TEST(names are asked of the name servers that were chosen) {
  if (!ready())
    return;
  CAF_CHECK_EQUAL(run(process, "result = open('/etc/resolv.conf').read()"), R"("nameserver 203.0.113.10\n")");
  const auto resolver = bound(internet, SOCK_DGRAM, "203.0.113.10", 53);
  sandbox_bed::send_event(process, "{\"code\":"
                                     + sandbox_bed::quoted("import socket\n"
                                                           "result = socket.gethostbyname('site.example')")
                                     + "}");
  sockaddr_in asker{};
  const std::string question = receive(resolver, &asker);
  CAF_REQUIRE(question.find("\4site\7example") != std::string::npos);
  const std::string answer = dns_answer(question);
  CAF_CHECK(with(asker, [&](auto... where) {
    return ::sendto(resolver.get(), answer.data(), answer.size(), 0, where...) > 0 ? 0 : -1;
  }));
  CAF_CHECK_EQUAL(sandbox_bed::answer_of(process), R"("203.0.113.10")");
}

CAF_TEST(the way out ends with the sandbox) {
  if (!ready())
    return;
  CAF_CHECK_EQUAL(plugs(), 1);
  sandboxes.factory->bury(std::move(process));
  process = {};
  // The factory has not been told of the plug, and keeps networks until it has nothing else to do.
  sandboxes.fill_pools();
  for (const auto end = std::chrono::steady_clock::now() + 20s; plugs() > 0 && std::chrono::steady_clock::now() < end;)
    std::this_thread::yield();
  CAF_CHECK_EQUAL(plugs(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
