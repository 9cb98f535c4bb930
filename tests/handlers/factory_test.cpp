#define CAF_SUITE handlers.factory

#include "tests/handlers/sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <set>
#include <vector>

#include <fcntl.h>
#include <signal.h>

// How sandboxes come and go, seen from the node.

using namespace sandbox_bed;

CAF_TEST_FIXTURE_SCOPE(factory_tests, open_bed)

CAF_TEST(a handler is ready and answers) {
  auto process = launch(spec(bundle("sum", "def handler(event): return sum(event)")));
  auto first = read_frame(process);
  CAF_REQUIRE(first.has_value());
  CAF_CHECK(first->header.kind == troupe::wire::frame_kind::ready);
  send_event(process, "[1, 2, 3]");
  CAF_CHECK_EQUAL(answer_of(process), "6");
  CAF_CHECK_GREATER(process.pid, 1);
  const auto death = factory->bury(std::move(process));
  CAF_CHECK(death.why == sandbox_death::cause::signalled);
  CAF_CHECK_EQUAL(death.code, SIGKILL);
  CAF_CHECK_EQUAL(death.never_set_up, "");
}

CAF_TEST(where many have a function there are fewer blank ones) {
  const auto blank_and_live = [] {
    return std::ranges::count_if(
      children(), [](int pid) { return text_of("/proc/" + std::to_string(pid) + "/comm") == "troupe-sandbox\n"; });
  };
  std::vector<sandbox_process> live;
  const auto settled = [&](long count) { // each takes its name by and by
    for (const auto end = std::chrono::steady_clock::now() + 20s; blank_and_live() != count;)
      if (std::chrono::steady_clock::now() > end)
        return false;
    return true;
  };
  for (int i = 0; i < 4; ++i)
    live.push_back(runner_sandbox());
  live.push_back(launch(spec(bundle("other", runner)))); // another's do not count
  fill_pools();
  CAF_CHECK(settled(6));
  live.push_back(runner_sandbox()); // it was blank
  fill_pools();
  CAF_CHECK(settled(6));
  for (auto& each : live)
    factory->bury(std::move(each));
  fill_pools();
  CAF_CHECK_GREATER(blank_id(), 0); // it waits for one
}

CAF_TEST(how a process ended is told) {
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "import os\nos._exit(7)"), "(gone)");
  auto death = factory->bury(std::move(process));
  CAF_CHECK(death.why == sandbox_death::cause::exited);
  CAF_CHECK_EQUAL(death.code, 7);

  process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "import ctypes, signal\n"
                               "signal.signal(signal.SIGSEGV, signal.SIG_DFL)\n" // which a sanitizer takes
                               "ctypes.string_at(0)"),
                  "(gone)");
  death = factory->bury(std::move(process));
  CAF_CHECK(death.why == sandbox_death::cause::signalled);
  CAF_CHECK_EQUAL(death.code, SIGSEGV);
}

CAF_TEST(too much memory ends a sandbox and no other) {
  auto other = runner_sandbox();
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = len(bytearray(256 << 20))"), "(gone)");
  auto death = factory->bury(std::move(process));
  CAF_CHECK(death.why == sandbox_death::cause::out_of_memory);
  CAF_CHECK_GREATER(death.memory_peak_bytes, 100 * troupe::limits::mib);
  CAF_CHECK_LESS_OR_EQUAL(death.memory_peak_bytes, 128 * troupe::limits::mib);

  CAF_CHECK_EQUAL(run(other, "result = len(bytearray(64 << 20))"), std::to_string(64 << 20));
  death = factory->bury(std::move(other));
  CAF_CHECK(death.why == sandbox_death::cause::signalled);
}

CAF_TEST(what is in tmp counts as memory) {
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "open('/tmp/x', 'wb').write(bytes(1 << 20) * 200)"), "(gone)");
  CAF_CHECK(factory->bury(std::move(process)).why == sandbox_death::cause::out_of_memory);
}

CAF_TEST(the limit is the memory of the function) {
  auto what = spec(runner_bundle);
  what.memory_mb = 300;
  auto process = launch(what);
  CAF_REQUIRE(read_frame(process).has_value());
  const std::string limit =
    cell_file(*this, process.slot, "memory.limit_in_bytes") + cell_file(*this, process.slot, "memory.max");
  CAF_CHECK_EQUAL(limit, std::to_string(300 * troupe::limits::mib) + "\n");
  CAF_CHECK_EQUAL(run(process, "result = len(bytearray(200 << 20))"), std::to_string(200 << 20));
  factory->bury(std::move(process));
}

CAF_TEST(the peak is of one sandbox and can be read while it runs) {
  auto blank = runner_sandbox(); // the one made ahead; the next is made of parts, which are used again
  auto process = runner_sandbox();
  run(process, "result = len(bytearray(60 << 20))");
  CAF_REQUIRE(process.memory_peak);
  char text[32] = {};
  CAF_REQUIRE_GREATER(::pread(process.memory_peak.get(), text, sizeof text - 1, 0), 0);
  CAF_CHECK_GREATER(std::stoull(text), 60 * troupe::limits::mib);
  const uint32_t slot = process.slot;
  CAF_CHECK_GREATER(factory->bury(std::move(process)).memory_peak_bytes, 60 * troupe::limits::mib);
  process = runner_sandbox();
  CAF_CHECK_EQUAL(process.slot, slot); // the same cell, and nothing left in it
  factory->bury(std::move(blank));
  CAF_CHECK_LESS(factory->bury(std::move(process)).memory_peak_bytes, 40 * troupe::limits::mib);
}

CAF_TEST(a fork bomb stays inside) {
  auto what = spec(runner_bundle);
  what.memory_mb = 1024; // so that the number of processes is what ends it
  auto process = launch(what);
  CAF_REQUIRE(read_frame(process).has_value());
  const std::string made = run(process, "import os, time\n"
                                        "result = 0\n"
                                        "try:\n"
                                        "  while True:\n"
                                        "    if os.fork() == 0: time.sleep(1000)\n"
                                        "    result += 1\n"
                                        "except OSError: pass\n");
  CAF_CHECK_EQUAL(made, std::to_string(troupe::limits::processes_max - 1));
  const auto before = children();
  factory->bury(std::move(process));
  CAF_CHECK_EQUAL(children().size(), before.size() - 1); // and none of the bomb's is left, or this would not return
  process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  factory->bury(std::move(process));
}

CAF_TEST(processes of a handler die with it) {
  auto process = runner_sandbox();
  run(process, "import os, signal\n"
               "if os.fork() == 0:\n"
               "  for s in range(1, 32):\n"
               "    try: signal.signal(s, signal.SIG_IGN)\n"
               "    except (OSError, ValueError): pass\n"
               "  os.setsid()\n"
               "  while True: signal.pause()\n");
  const uint32_t slot = process.slot;
  CAF_CHECK_EQUAL(lines(cell_file(*this, slot, "cgroup.procs")), 2);
  factory->bury(std::move(process));
  CAF_CHECK_EQUAL(lines(cell_file(*this, slot, "cgroup.procs")), 0);
}

CAF_TEST(parts run out and are made on demand) {
  std::vector<sandbox_process> processes;
  processes.reserve(6);
  for (int i = 0; i < 6; ++i)
    processes.push_back(runner_sandbox());
  std::set<uint32_t> slots;
  for (auto& process : processes) {
    CAF_CHECK_EQUAL(run(process, interfaces), R"(["lo"])");
    slots.insert(process.slot);
    factory->bury(std::move(process));
  }
  CAF_CHECK_EQUAL(slots.size(), 6u);
  int steps = 0;
  while (factory->prepare_one() == troupe::handlers::preparation::made)
    ++steps;
  CAF_CHECK_LESS_OR_EQUAL(steps, 6); // a blank one; networks and mounts; two have been used again
  CAF_CHECK(factory->prepare_one() == troupe::handlers::preparation::full);
}

CAF_TEST(a bundle that is not there fails in one line) {
  auto process = factory->launch(spec(directory / "nowhere"));
  CAF_REQUIRE(!process);
  CAF_CHECK(troupe::code_of(process.error()) == troupe::errc::sandbox_failed);
  CAF_CHECK_EQUAL(troupe::what_of(process.error()), "open the bundle: No such file or directory");
}

CAF_TEST(a step of the set up that fails is named) {
  std::ofstream{directory / "file"} << "not a directory";
  auto process = launch(spec(directory / "file"));
  CAF_CHECK(!read_frame(process));
  const auto death = factory->bury(std::move(process));
  CAF_CHECK_EQUAL(death.never_set_up, "set up the sandbox: mount the bundle: Invalid argument");
  auto next = runner_sandbox();
  factory->bury(std::move(next));
}

CAF_TEST(a sandbox inherits nothing of the one before) {
  // The zygote's memory is the first memory of every sandbox: what one function is given must never have been in it.
  auto what = spec(runner_bundle);
  what.environment["SECRET"] = "s3cr3t-of-the-first";
  auto first = launch(what);
  CAF_REQUIRE(read_frame(first).has_value());
  auto second = runner_sandbox();
  // Written so that neither the text nor the pattern matches itself. Larger areas are none of ours (a sanitizer's).
  constexpr std::string_view search = R"(import re
needle = re.compile(b's3cr3t[-]of[-]the[-]first')
result = False
for line in open('/proc/self/maps'):
  area, mode = line.split()[:2]
  begin, end = (int(x, 16) for x in area.split('-'))
  if not mode.startswith('rw') or end - begin > 32 << 20: continue
  with open('/proc/self/mem', 'rb', 0) as memory:
    memory.seek(begin)
    result = result or needle.search(memory.read(end - begin)) is not None
)";
  CAF_CHECK_EQUAL(run(first, search), "true");
  CAF_CHECK_EQUAL(run(second, search), "false");
  factory->bury(std::move(first));
  factory->bury(std::move(second));
}

CAF_TEST_FIXTURE_SCOPE_END()

namespace {

/// Where each sandbox is made of the parts that the one before has left.
struct successors : bed {
  successors() {
    settings.blank_target = 0;
    settings.pool_target = 0;
    open();
  }

  /// The network namespace of the next sandbox, after it has run that.
  fs::path network_after(std::string_view code) {
    auto process = runner_sandbox();
    const fs::path file = "/proc/" + std::to_string(process.pid) + "/ns/net";
    const auto network = fs::read_symlink(file);
    held.emplace_back(::open(file.c_str(), O_RDONLY | O_CLOEXEC)); // or its number might be another's next
    seen = run(process, code);
    factory->bury(std::move(process));
    return network;
  }

  std::string seen;
  std::vector<troupe::unique_fd> held;
};

constexpr std::string_view nothing = "result = 1";

/// All that a namespace says of what was done in it.
constexpr std::string_view traces =
  "read = lambda name: open('/proc/net/' + name).read()\n"
  "result = [read('dev'), read('snmp'), read('snmp6'), read('unix'), read('ip6_flowlabel'), "
  "read('sockstat').split('\\n')[0]]";

} // namespace

CAF_TEST_FIXTURE_SCOPE(factory_network_tests, successors)

CAF_TEST(a network that nobody has used serves the next sandbox) {
  const auto first = network_after(nothing);
  CAF_CHECK_EQUAL(network_after("import socket\nsocket.socket().close()\nresult = 1"), first);
  CAF_CHECK_EQUAL(network_after(nothing), first);
}

CAF_TEST(a network that somebody has used serves nobody else) {
  const std::string_view uses[] = {
    // to itself, by both protocols
    "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nresult = s.sendto(b'x', ('127.0.0.1', 9))",
    "import socket\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\nresult = s.sendto(b'x', ('::1', 9))",
    // to where no way leads
    "import socket\nresult = socket.socket().connect_ex(('192.0.2.1', 9))",
    "import socket\nresult = socket.socket(socket.AF_INET6).connect_ex(('2001:db8::1', 9))",
    // a flow label, which stays when its socket has gone
    "import socket, struct\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
    "s.setsockopt(socket.IPPROTO_IPV6, 32, socket.inet_pton(socket.AF_INET6, '::1') + struct.pack('>I', 0x12345)\n"
    "             + struct.pack('=BBHHHI', 0, 255, 1, 0, 0, 0))\nresult = 1",
    // a route that is kept for its next use
    "import socket\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\ns.connect(('::1', 9))\nresult = 1",
    // a connection whose end lasts
    "import socket\nl = socket.create_server(('127.0.0.1', 0))\nc = socket.create_connection(l.getsockname())\n"
    "l.accept()[0].close()\nc.close()\nresult = 1",
  };
  network_after(traces);
  const std::string fresh = seen;
  for (const auto use : uses) {
    const auto used = network_after(use);
    CAF_CHECK(seen != "(gone)");
    CAF_CHECK_NOT_EQUAL(network_after(traces), used);
    CAF_CHECK_EQUAL(seen, fresh);
  }
}

CAF_TEST(nobody joins groups) {
  // Reports about them are sent when their socket has gone, and the network may be another's by then.
  network_after(
    "import socket, struct\nresult = []\n"
    "for family, level, option, value in (\n"
    "    (socket.AF_INET, socket.IPPROTO_IP, 35, struct.pack('=4s4si', bytes([224, 1, 2, 3]), bytes(4), 1)),\n"
    "    (socket.AF_INET6, socket.IPPROTO_IPV6, 20, bytes([255, 2]) + bytes(13) + b'x' + struct.pack('=I', 1))):\n"
    "  try: socket.socket(family, socket.SOCK_DGRAM).setsockopt(level, option, value)\n"
    "  except OSError as error: result.append(error.errno)");
  CAF_CHECK_EQUAL(seen, "[1, 1]"); // EPERM
}

CAF_TEST(a network does not outlive its zygote) {
  const auto first = network_after(nothing);
  const auto watched = troupe::handlers::open_process(zygote_id());
  ::kill(zygote_id(), SIGKILL);
  CAF_REQUIRE(troupe::handlers::wait_readable(watched.get(), 5s));
  CAF_CHECK_NOT_EQUAL(network_after(nothing), first);
  CAF_CHECK_EQUAL(seen, "1");
}

CAF_TEST_FIXTURE_SCOPE_END()
