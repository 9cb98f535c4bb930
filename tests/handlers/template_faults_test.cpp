#define CAF_SUITE handlers.template_faults

#include "tests/handlers/template_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <fstream>

#include <fcntl.h>
#include <unistd.h>

// Templates whose code is hostile: neither the node nor anybody else may be the worse for it.

using namespace sandbox_bed;

namespace {

/// A template whose code does that whenever a copy of it is wanted. It may use `calls` (an entry for each time so far),
/// `tell` (an answer to the node, of that kind and with those descriptors) and `given` (descriptors by their names).
std::string hostile_template(const std::string& does) {
  return "import array, ctypes, os, socket\n"
         "libc = ctypes.CDLL(None)\n"
         "calls, groups = [], []\n"
         "def tell(kind, fds):\n"
         "    control = socket.socket(fileno=os.dup(5))\n"
         "    control.sendmsg([bytes([kind]) + bytes(135)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', "
         "fds))])\n"
         "    control.detach()\n"
         "def given(wanted):\n"
         "    names = {int(fd): os.readlink('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd')\n"
         "             if os.path.lexists('/proc/self/fd/' + fd)}\n"
         "    return [fd for fd, name in names.items() if wanted(name)]\n"
         "def is_group(name): return name.endswith(('/tasks', '/cgroup.procs'))\n"
         "def do():\n"
         "    global groups\n"
         "    calls.append(1)\n"
       + does + "os.register_at_fork(before=do)\n" + std::string{runner};
}

using troupe::handlers::launch_progress;
using troupe::handlers::unfinished_launch;

/// A node that soon gives templates up.
struct impatient : templates {
  impatient() {
    factory.reset();
    settings.reply_time = 2s; // longer than a copy takes on a busy machine
    open();
  }

  /// Asks for a copy that the template does not make in a moment.
  unfinished_launch begin() {
    auto progress = factory->begin_launch(of);
    if (!progress || !std::holds_alternative<unfinished_launch>(*progress))
      throw std::runtime_error("the launch is not unfinished");
    return std::get<unfinished_launch>(*progress);
  }

  bool is_done(const caf::expected<launch_progress>& progress) {
    return progress && std::holds_alternative<sandbox_process>(*progress);
  }

  sandbox_process& finish(unfinished_launch begun) {
    auto progress = factory->go_on(begun, 0ms);
    while (progress && !is_done(progress))
      progress = factory->go_on(begun, 50ms);
    if (!progress)
      throw std::runtime_error(troupe::what_of(progress.error()));
    return take(std::get<sandbox_process>(std::move(*progress)));
  }

  void end_all() {
    while (!processes.empty())
      end(processes.front());
  }
};

const std::string hangs = "    os.read(os.pipe()[0], 1)\n";

} // namespace

CAF_TEST_FIXTURE_SCOPE(hanging_template_tests, impatient)

CAF_TEST(a template that does not answer keeps nobody else waiting and is killed) {
  auto& loaded = load_fit(hostile_template(hangs));
  const auto begun = begin();
  CAF_CHECK_EQUAL(run(take(launch(spec(runner_bundle))), "result = 1"), "1");
  CAF_CHECK_EQUAL(run(copy(), "result = 2"), "2"); // which loads the handler itself
  CAF_CHECK(!is_done(factory->go_on(begun, 0ms)));
  CAF_CHECK_EQUAL(run(finish(begun), "result = 3"), "3");
  CAF_CHECK_EQUAL(answer_of(loaded), "(gone)");
  CAF_CHECK(!factory->go_on(begun, 0ms));
  end_all();
  CAF_CHECK(family_is_gone());
}

CAF_TEST(a template may end while it makes a copy) {
  auto& loaded = load_fit(hostile_template(hangs));
  const auto begun = begin();
  end(loaded);
  CAF_CHECK_EQUAL(run(finish(begun), "result = 1"), "1");
  end_all();
  CAF_CHECK(family_is_gone());
}

CAF_TEST(a node may end while a template makes a copy) {
  load_fit(hostile_template(hangs));
  begin();
  processes.clear();
  factory.reset();
  CAF_CHECK(cgroups_of(settings.cgroup_name).empty());
}

CAF_TEST(a template whose messenger does not end is killed) {
  auto& loaded = load_fit(hostile_template("    made = []\n"
                                           "    for _ in range(2):\n"
                                           "        child = libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0)\n" // CLONE_PARENT
                                           "        while child == 0: libc.pause()\n"
                                           "        made.append(os.pidfd_open(child))\n"
                                           "    tell(5, made)\n"
                                           + hangs));
  const auto before = children().size();
  CAF_CHECK_EQUAL(run(finish(begin()), "result = 1"), "1");
  CAF_CHECK(troupe::handlers::wait_readable(loaded.pidfd.get(), 5s));
  end_all();
  CAF_CHECK(family_is_gone());
  CAF_CHECK_LESS(children().size(), before); // those of the template and its shell
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST_FIXTURE_SCOPE(template_fault_tests, templates)

CAF_TEST(only the function of a template gets copies of it) {
  const std::string look = "import main\nresult = main.mark";
  load_fit(noting);
  const auto mark = run(copy(), look);
  CAF_CHECK_EQUAL(run(copy(), look), mark);
  of.environment["A"] = "b";
  const auto other = run(copy(), look);
  CAF_CHECK_EQUAL(other.size(), mark.size());
  CAF_CHECK_NOT_EQUAL(other, mark);
}

CAF_TEST(a template that makes processes of the node leaves nothing) {
  const auto before = children().size();
  auto& loaded = load_fit("import ctypes, os\n"
                          "libc = ctypes.CDLL(None)\n"
                          "def breed():\n"
                          "    for _ in range(5):\n"
                          "        if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0:\n" // clone(CLONE_PARENT)
                          "            libc._exit(0)\n"
                          "os.register_at_fork(before=breed)\n"
                          + std::string{runner});
  copy();
  CAF_CHECK_GREATER(children().size(), before + 5);
  end(loaded);
  while (!processes.empty())
    end(processes.front());
  CAF_CHECK_EQUAL(children().size(), before);
}

CAF_TEST(a template that names processes of others is killed) {
  auto& loaded = load_fit("import array, os, socket\n"
                          "def lie():\n"
                          "    reply = bytes([5]) + bytes(135)\n"
                          "    me = array.array('i', [os.pidfd_open(os.getpid()), os.pidfd_open(1)])\n"
                          "    control = socket.socket(fileno=os.dup(5))\n"
                          "    control.sendmsg([reply], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, me)])\n"
                          "    control.detach()\n"
                          "os.register_at_fork(before=lie)\n"
                          + std::string{runner});
  CAF_CHECK_EQUAL(run(copy(), "result = 6"), "6");
  CAF_CHECK(factory->launch(of)); // which takes the way without the template, too
  CAF_CHECK_EQUAL(answer_of(loaded), "(gone)");
}

CAF_TEST(a template that names its copies as lost ones harms none of them) {
  auto& loaded = load_fit(hostile_template("    if len(calls) == 2:\n"
                                           "        own = [int(p) for p in os.listdir('/proc') if p.isdigit()]\n"
                                           "        tell(6, [os.pidfd_open(p) for p in own if p > 2])\n"));
  auto& one = copy();
  copy(); // loads the handler itself
  CAF_CHECK_EQUAL(run(one, "result = 1"), "1");
  end(loaded);
  while (!processes.empty())
    end(processes.front());
  CAF_CHECK(family_is_gone());
}

CAF_TEST(a template that names pipes does not keep the node waiting) {
  load_fit(hostile_template("    tell(6, [os.pipe()[0] for _ in range(16)])\n"));
  const auto begin = std::chrono::steady_clock::now();
  copy();
  CAF_CHECK(std::chrono::steady_clock::now() - begin < 16 * troupe::limits::kill_time_max);
}

CAF_TEST(a template that names one process twice is killed) {
  auto& loaded = load_fit(hostile_template("    child = libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0)\n" // CLONE_PARENT
                                           "    if child == 0: libc._exit(0)\n"
                                           "    child = os.pidfd_open(child)\n"
                                           "    for fd in given(lambda name: name.startswith('socket:')):\n"
                                           "        if fd != 5: os.write(fd, bytes(128))\n" // a report
                                           "    tell(5, [child, child])\n"
                                           "    os.read(os.pipe()[0], 1)\n"));
  CAF_CHECK_EQUAL(run(copy(), "result = 1"), "1");
  CAF_CHECK_EQUAL(answer_of(loaded), "(gone)");
  end(loaded);
  while (!processes.empty())
    end(processes.front());
  CAF_CHECK(family_is_gone());
}

CAF_TEST(a template cannot hide where a copy stands still) {
  factory.reset();
  settings.reply_time = 2s; // longer than a copy takes on a busy machine
  open();
  auto& loaded = load_fit(hostile_template("    if len(calls) == 1:\n"
                                           "        groups = [os.dup(fd) for fd in given(is_group)]\n"
                                           "    else:\n"
                                           "        for fd in groups: os.write(fd, b'0')\n"));
  auto& one = copy();
  const uint32_t slots[] = {loaded.slot, one.slot};
  CAF_REQUIRE(one.standstill.freeze());
  copy();
  CAF_CHECK(end(loaded).why == sandbox_death::cause::signalled);
  while (!processes.empty())
    end(processes.front());
  for (const auto slot : slots)
    CAF_CHECK(!has_group(slot));
}

CAF_TEST(processes that a template leaves in the groups of a copy end) {
  auto& loaded = load_fit(hostile_template("    if len(calls) == 1:\n"
                                           "        groups = [os.dup(fd) for fd in given(is_group)]\n"
                                           "    elif libc.syscall(56, 17, 0, 0, 0, 0) == 0:\n"
                                           "        for fd in groups: os.write(fd, b'0')\n"
                                           "        while True: libc.pause()\n"));
  auto& one = copy();
  const auto slot = one.slot;
  copy();
  end(one);
  end(loaded);
  while (!processes.empty())
    end(processes.front());
  CAF_CHECK(!has_group(slot));
}

CAF_TEST(a template that keeps the memory of copies that are gone is killed before it has more than one of them) {
  auto& loaded = load_fit("import mmap\nshared = mmap.mmap(-1, 1 << 30)\n" + std::string{runner});
  const auto fill = [&](int part) {
    auto& one = copy();
    run(one, "import main\nfor at in range(" + std::to_string(part) + " * 20000, " + std::to_string(part + 1)
               + " * 20000): main.shared[at * 4096] = 1\nresult = 0"); // 78 MiB of 128
    end(one);
  };
  fill(0);
  CAF_CHECK(!troupe::handlers::wait_readable(loaded.pidfd.get(), 100ms));
  fill(1);
  CAF_CHECK(troupe::handlers::wait_readable(loaded.pidfd.get(), 5s));
}

CAF_TEST(files that copies have read are no memory that a template keeps) {
  auto& loaded = load_fit(noting);
  for (int i = 0; i < 3; ++i) {
    const auto file = fs::path{of.bundle_dir} / "large";
    std::ofstream{file} << std::string(60 << 20, 'x');
    const troupe::unique_fd written{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    CAF_REQUIRE(::fsync(written.get()) == 0);
    CAF_REQUIRE(::posix_fadvise(written.get(), 0, 0, POSIX_FADV_DONTNEED) == 0); // so that the copy reads it from disk
    auto& one = copy();
    CAF_CHECK_EQUAL(run(one, "result = len(open('/var/task/large', 'rb').read())"), std::to_string(60 << 20));
    end(one);
  }
  CAF_CHECK(!troupe::handlers::wait_readable(loaded.pidfd.get(), 100ms));
}

CAF_TEST(a template that keeps sockets is killed and one that has them for a moment is not) {
  const auto opens = [](const std::string& what) {
    return hostile_template("    kept = [socket.socket() for _ in range(3)]\n    calls.append(" + what + ")\n");
  };
  const auto ends_or_stands_still = [&](const sandbox_process& which) {
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (!troupe::handlers::wait_readable(which.pidfd.get(), 20ms) && !stands_still(which)
           && std::chrono::steady_clock::now() < until)
      fill_pools();
  };
  auto& good = load_fit(opens("len(kept)"));
  copy();
  ends_or_stands_still(good);
  CAF_CHECK(stands_still(good));
  const std::string hidden = "    into, out = socket.socketpair()\n"
                             "    for fd, end in ((0, into), (2, out)): os.dup2(end.fileno(), fd)\n";
  for (const auto& text : {opens("kept"), hostile_template(hidden)}) {
    auto& bad = load_fit(text);
    copy();
    ends_or_stands_still(bad);
    CAF_CHECK(troupe::handlers::wait_readable(bad.pidfd.get(), 0ms));
  }
}

CAF_TEST(processes that a template leaves behind end with it) {
  auto& loaded = load_fit(hostile_template("    if libc.syscall(56, 17, 0, 0, 0, 0) == 0:\n"
                                           "        while True: libc.pause()\n"));
  auto& one = copy();
  end(loaded);
  CAF_CHECK(troupe::handlers::wait_readable(one.pidfd.get(), 5s));
}

CAF_TEST(processes of the node that a template has made may take their time to end) {
  auto what =
    spec(bundle("slow", hostile_template("    if libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0) == 0:\n" // CLONE_PARENT
                                         "        held = b'x' * (400 << 20)\n"
                                         "        while True: libc.pause()\n")));
  what.memory_mb = 1024;
  auto& loaded = load(what);
  CAF_REQUIRE(!factory->examine(loaded));
  of.copy_of = loaded.slot;
  end(copy());
  const auto begin = std::chrono::steady_clock::now();
  end(loaded);
  CAF_CHECK(std::chrono::steady_clock::now() - begin < troupe::limits::kill_time_max);
  CAF_CHECK(family_is_gone());
}

CAF_TEST(a shell that does not end is put away when it does) {
  auto& loaded = load_fit(runner);
  auto& one = copy();
  clinging held{one.pid};
  end(one);
  end(loaded);
  fill_pools();
  CAF_CHECK(family_is_there());
  CAF_CHECK(factory->prepare_one() == troupe::handlers::preparation::stuck);
  held.release();
  CAF_CHECK(family_is_gone());
}

CAF_TEST(a socket that lingers does not hold up the node) {
  load_fit(
    hostile_template("    import struct\n"
                     "    server = socket.create_server(('127.0.0.1', 0))\n"
                     "    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)\n"
                     "    client = socket.create_connection(server.getsockname())\n"
                     "    client.setblocking(False)\n"
                     "    try:\n"
                     "        while True: client.send(bytes(65536))\n"
                     "    except BlockingIOError: pass\n"
                     "    try: client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 1000))\n"
                     "    except OSError: pass\n"
                     "    calls.append(server.accept())\n"
                     "    number = client.detach()\n"
                     "    tell(6, [number])\n"
                     "    os.close(number)\n"));
  CAF_CHECK_EQUAL(run(copy(), "result = 1"), "1");
}

CAF_TEST_FIXTURE_SCOPE_END()
