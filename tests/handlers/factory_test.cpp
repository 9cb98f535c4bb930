#define CAF_SUITE handlers.factory

#include "tests/handlers/sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

// How sandboxes come and go, seen from the node.

using namespace sandbox_bed;
using troupe::handlers::wait_readable;

namespace {

/// The processes that have this one as their parent.
std::set<int> children() {
  std::set<int> result;
  for (const auto& thread : fs::directory_iterator{"/proc/self/task"}) {
    std::istringstream pids{text_of(thread.path() / "children")};
    for (int pid = 0; pids >> pid;)
      result.insert(pid);
  }
  return result;
}

/// Of this process's children, the one that runs the host program under that name.
int child_named(const std::string& name) {
  for (const int pid : children())
    if (text_of("/proc/" + std::to_string(pid) + "/comm") == name + "\n")
      return pid;
  return 0;
}

int zygote_id() {
  return child_named("troupe-python3");
}

std::vector<fs::path> cgroups_of(const std::string& name) {
  std::vector<fs::path> result;
  for (const auto& hierarchy : fs::directory_iterator{"/sys/fs/cgroup"})
    if (fs::exists(hierarchy.path() / name))
      result.push_back(hierarchy.path() / name);
  return result;
}

/// A file of a sandbox's cgroup, from whichever hierarchy has it.
std::string cell_file(const bed& test, uint32_t slot, const std::string& file) {
  for (const auto& path : cgroups_of(test.settings.cgroup_name))
    if (fs::exists(path / std::to_string(slot) / file))
      return text_of(path / std::to_string(slot) / file);
  return {};
}

long lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

} // namespace

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
}

CAF_TEST(how a process ended is told) {
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "import os\nos._exit(7)"), "(gone)");
  auto death = factory->bury(std::move(process));
  CAF_CHECK(death.why == sandbox_death::cause::exited);
  CAF_CHECK_EQUAL(death.code, 7);

  process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "import ctypes\nctypes.string_at(0)"), "(gone)");
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
  const std::string limit = cell_file(*this, process.slot, "memory.limit_in_bytes")
                            + cell_file(*this, process.slot, "memory.max");
  CAF_CHECK_EQUAL(limit, std::to_string(300 * troupe::limits::mib) + "\n");
  CAF_CHECK_EQUAL(run(process, "result = len(bytearray(200 << 20))"), std::to_string(200 << 20));
  factory->bury(std::move(process));
}

CAF_TEST(the peak is of one sandbox and can be read while it runs) {
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
  for (int i = 0; i < 6; ++i)
    processes.push_back(runner_sandbox());
  std::set<uint32_t> slots;
  for (auto& process : processes) {
    CAF_CHECK_EQUAL(run(process, "import socket\nresult = [n for _, n in socket.if_nameindex()]"), R"(["lo"])");
    slots.insert(process.slot);
    factory->bury(std::move(process));
  }
  CAF_CHECK_EQUAL(slots.size(), 6u);
  int steps = 0;
  while (factory->prepare_one())
    ++steps;
  CAF_CHECK_LESS_OR_EQUAL(steps, 4);
  CAF_CHECK(!factory->prepare_one());
}

CAF_TEST(a bundle that is not there fails in one line) {
  auto process = factory->launch(spec(directory / "nowhere"));
  CAF_REQUIRE(!process);
  CAF_CHECK(troupe::code_of(process.error()) == troupe::errc::sandbox_failed);
  CAF_CHECK_EQUAL(troupe::what_of(process.error()), "open the bundle: No such file or directory");
}

CAF_TEST(a step of the set up that fails is named) {
  std::ofstream{directory / "file"} << "not a directory";
  auto process = factory->launch(spec(directory / "file"));
  CAF_REQUIRE(!process);
  CAF_CHECK(troupe::code_of(process.error()) == troupe::errc::sandbox_failed);
  CAF_CHECK_EQUAL(troupe::what_of(process.error()), "set up the sandbox: mount the bundle: Invalid argument");
  auto next = runner_sandbox();
  factory->bury(std::move(next));
}

CAF_TEST(a zygote that died is replaced and its sandboxes go on) {
  auto process = runner_sandbox();
  const int first = zygote_id();
  CAF_REQUIRE_GREATER(first, 0);
  ::kill(first, SIGKILL);
  auto next = runner_sandbox();
  CAF_CHECK_NOT_EQUAL(zygote_id(), first);
  CAF_CHECK_EQUAL(run(next, "result = 1"), "1");
  CAF_CHECK_EQUAL(run(process, "result = 2"), "2");
  factory->bury(std::move(process));
  factory->bury(std::move(next));
  CAF_CHECK_EQUAL(children().size(), 2u); // the new zygote and its keeper
}

CAF_TEST(a keeper that died takes its sandboxes along and is replaced) {
  auto process = runner_sandbox();
  ::kill(child_named("troupe-keeper"), SIGKILL);
  CAF_CHECK(!read_frame(process));
  factory->bury(std::move(process));
  auto next = runner_sandbox();
  CAF_CHECK_EQUAL(run(next, "result = 1"), "1");
  factory->bury(std::move(next));
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a zygote that hangs is replaced) {
  bed test;
  test.settings.reply_time = 300ms;
  test.open();
  const int first = zygote_id();
  ::kill(first, SIGSTOP);
  auto process = test.runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  CAF_CHECK_NOT_EQUAL(zygote_id(), first);
  test.factory->bury(std::move(process));
}

CAF_TEST(nothing is left after the end) {
  const auto children_before = children();
  const std::string mounts_before = text_of("/proc/self/mountinfo");
  const auto fds_before = std::distance(fs::directory_iterator{"/proc/self/fd"}, {});
  bed test;
  test.open();
  auto buried = test.runner_sandbox();
  auto running = test.runner_sandbox();
  test.factory->bury(std::move(buried));
  CAF_CHECK(!cgroups_of(test.settings.cgroup_name).empty());
  CAF_CHECK_EQUAL(text_of("/proc/self/mountinfo"), mounts_before); // not even while it runs
  test.factory.reset(); // with a sandbox that runs
  CAF_CHECK(!read_frame(running));
  running = {};
  CAF_CHECK(children() == children_before);
  CAF_CHECK_EQUAL(text_of("/proc/self/mountinfo"), mounts_before);
  CAF_CHECK(cgroups_of(test.settings.cgroup_name).empty());
  CAF_CHECK(!fs::exists(test.settings.run_dir));
  CAF_CHECK_EQUAL(std::distance(fs::directory_iterator{"/proc/self/fd"}, {}), fds_before);
}

CAF_TEST(everything dies with the node and the next one cleans up) {
  // A node of its own, that is killed while a sandbox runs which has done what it can to stay.
  int report[2];
  CAF_REQUIRE_EQUAL(::pipe2(report, O_CLOEXEC), 0);
  bed test;
  const pid_t node = ::fork();
  if (node == 0) {
    test.open();
    auto process = test.runner_sandbox();
    run(process, "import ctypes, signal\n"
                 "ctypes.CDLL(None).prctl(1, 0)\n" // PR_SET_PDEATHSIG: none
                 "for s in range(1, 32):\n"
                 "  try: signal.signal(s, signal.SIG_IGN)\n"
                 "  except (OSError, ValueError): pass\n");
    send_event(process, R"({"code": "while True: pass"})");
    const int pids[] = {process.pid, zygote_id(), child_named("troupe-keeper")};
    if (::write(report[1], pids, sizeof pids) != sizeof pids)
      ::_exit(1);
    ::pause();
    ::_exit(1);
  }
  int pids[3] = {};
  CAF_REQUIRE(wait_readable(report[0], 20s));
  CAF_REQUIRE_EQUAL(::read(report[0], pids, sizeof pids), static_cast<ssize_t>(sizeof pids));
  std::vector<troupe::unique_fd> watched;
  for (const int pid : pids)
    watched.push_back(troupe::handlers::open_process(pid));
  ::kill(node, SIGKILL);
  CAF_REQUIRE_EQUAL(::waitpid(node, nullptr, 0), node);
  for (const auto& process : watched)
    CAF_CHECK(!process || wait_readable(process.get(), 5s));
  CAF_CHECK(!cgroups_of(test.settings.cgroup_name).empty());
  test.open();
  auto process = test.runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  test.factory->bury(std::move(process));
  test.factory.reset();
  CAF_CHECK(cgroups_of(test.settings.cgroup_name).empty());
  ::close(report[0]);
  ::close(report[1]);
}

CAF_TEST(a host program that is not there is told) {
  bed test;
  test.settings.host_program = "/nonexistent/troupe-python3";
  auto made = troupe::handlers::make_sandbox_factory(test.settings);
  CAF_REQUIRE(!made);
  CAF_CHECK(troupe::code_of(made.error()) == troupe::errc::not_supported);
  CAF_CHECK_EQUAL(troupe::what_of(made.error()),
                  "sandboxes cannot be made on this machine: start the host program: No such file or directory");
  CAF_CHECK(cgroups_of(test.settings.cgroup_name).empty());
}

CAF_TEST(without root it says so) {
  bed test;
  int report[2];
  CAF_REQUIRE_EQUAL(::pipe2(report, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0)
      ::_exit(1);
    auto made = troupe::handlers::make_sandbox_factory(test.settings);
    const std::string what = made ? "made" : troupe::what_of(made.error());
    ::_exit(::write(report[1], what.data(), what.size()) > 0 ? 0 : 1);
  }
  CAF_REQUIRE(wait_readable(report[0], 10s));
  char text[200] = {};
  CAF_REQUIRE_GREATER(::read(report[0], text, sizeof text - 1), 0);
  CAF_CHECK_EQUAL(std::string{text}, "sandboxes without root: start the node as root");
  ::waitpid(child, nullptr, 0);
  ::close(report[0]);
  ::close(report[1]);
}
