#define CAF_SUITE handlers.factory_faults

#include "tests/handlers/sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

// What holds when processes die, hang or are missing, and what is left behind: nothing.

using namespace sandbox_bed;
using troupe::handlers::wait_readable;

CAF_TEST_FIXTURE_SCOPE(factory_fault_tests, open_bed)

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

CAF_TEST(a blank sandbox that died is passed over) {
  const int blank = blank_id();
  const auto watched = troupe::handlers::open_process(blank);
  ::kill(blank, SIGKILL);
  CAF_REQUIRE(wait_readable(watched.get(), 5s));
  const auto before = children();
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  factory->bury(std::move(process));
  CAF_CHECK_EQUAL(children().size(), before.size() - 1); // it has been buried
}

CAF_TEST(a blank sandbox outlives the zygote that made it) {
  const int blank = blank_id();
  ::kill(zygote_id(), SIGKILL);
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(process.pid, blank);
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  factory->bury(std::move(process));
}

CAF_TEST(blank sandboxes that died with their keeper are replaced) {
  const int blank = blank_id();
  const auto watched = troupe::handlers::open_process(blank);
  const auto zygote = troupe::handlers::open_process(zygote_id());
  ::kill(child_named("troupe-keeper"), SIGKILL);
  CAF_REQUIRE(wait_readable(watched.get(), 5s));
  CAF_REQUIRE(wait_readable(zygote.get(), 5s));
  fill_pools();
  CAF_CHECK_NOT_EQUAL(blank_id(), blank);
  auto process = runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  factory->bury(std::move(process));
  CAF_CHECK_EQUAL(children().size(), 2u); // the zygote and its keeper
}

CAF_TEST(a sandbox that does not end is put away when it does) {
  auto process = runner_sandbox();
  const int id = process.pid;
  clinging held{id};
  CAF_CHECK(factory->bury(std::move(process)).why == sandbox_death::cause::signalled);
  fill_pools();
  CAF_CHECK(::kill(id, 0) == 0);
  CAF_CHECK(factory->prepare_one() == troupe::handlers::preparation::stuck);
  held.release();
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (::kill(id, 0) == 0 && std::chrono::steady_clock::now() < until)
    fill_pools(); // the kernel may take a moment
  CAF_CHECK(::kill(id, 0) != 0);
  CAF_CHECK(factory->prepare_one() == troupe::handlers::preparation::full);
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
  test.settings.blank_target = 0;
  test.open();
  const int first = zygote_id();
  ::kill(first, SIGSTOP);
  auto process = test.runner_sandbox();
  CAF_CHECK_EQUAL(run(process, "result = 1"), "1");
  CAF_CHECK_NOT_EQUAL(zygote_id(), first);
  test.factory->bury(std::move(process));
}

CAF_TEST(when the last blank one is launched the next is being made) {
  bed test;
  test.settings.work_ahead = true;
  test.open();
  auto first = test.runner_sandbox();
  const int next = blank_id(first.pid);
  auto second = test.runner_sandbox();
  CAF_CHECK_EQUAL(second.pid, next);
  CAF_CHECK_EQUAL(run(second, "result = 1"), "1");
  test.factory->bury(std::move(first));
  test.factory->bury(std::move(second));
  CAF_CHECK_GREATER(blank_id(), 0); // made ahead again, and nobody has asked for it
  ::kill(zygote_id(), SIGKILL);
  test.factory->keep_blanks(false);
  test.factory->keep_blanks(true);
  auto last = test.runner_sandbox();
  CAF_CHECK_EQUAL(run(last, "result = 2"), "2");
  test.factory->bury(std::move(last));
}

CAF_TEST(what is made ahead is not taken for what else is made meanwhile) {
  bed test;
  test.settings.work_ahead = true;
  test.open();
  auto first = test.runner_sandbox(); // the last blank one
  auto what = test.spec(test.runner_bundle);
  what.role = troupe::handlers::sandbox_role::its_template; // a shell, and who enters it
  auto loaded = test.launch(what);
  CAF_CHECK(read_frame(loaded).has_value());
  auto second = test.runner_sandbox();
  CAF_CHECK_EQUAL(run(second, "result = 2"), "2");
  for (auto* each : {&first, &second, &loaded})
    test.factory->bury(std::move(*each));
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
  test.fill_pools(); // a blank one is there, too
  CAF_CHECK(!cgroups_of(test.settings.cgroup_name).empty());
  CAF_CHECK_EQUAL(text_of("/proc/self/mountinfo"), mounts_before); // not even while it runs
  test.factory.reset();                                            // with a sandbox that runs
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
    test.fill_pools();
    const int pids[] = {process.pid, zygote_id(), child_named("troupe-keeper"), blank_id(process.pid)};
    if (::write(report[1], pids, sizeof pids) != sizeof pids)
      ::_exit(1);
    ::pause();
    ::_exit(1);
  }
  int pids[4] = {};
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
  CAF_CHECK_EQUAL(std::string{text}, "privileges: an ordinary user (start the node as root)");
  ::waitpid(child, nullptr, 0);
  ::close(report[0]);
  ::close(report[1]);
}
