#define CAF_SUITE handlers.template

#include "tests/handlers/template_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <set>
#include <vector>

#include <signal.h>

// Templates: processes that have loaded a handler, and the sandboxes that are copies of them.

using namespace sandbox_bed;

CAF_TEST_FIXTURE_SCOPE(template_tests, templates)

CAF_TEST(copies have loaded what the template has loaded and not again) {
  load_fit(noting);
  auto& one = copy();
  auto& other = copy();
  const auto mark = run(one, "import main\nresult = main.mark");
  CAF_CHECK_EQUAL(mark.size(), 18u);
  CAF_CHECK_EQUAL(run(other, "import main\nresult = main.mark"), mark);
  CAF_CHECK_NOT_EQUAL(one.pid, other.pid);
}

CAF_TEST(a copy has a cage of its own) {
  load_fit(noting);
  auto& one = copy();
  auto& other = copy();
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    const std::string name = "import os\nresult = os.readlink('/proc/self/ns/" + std::string{kind} + "')";
    const auto ones = run(one, name);
    CAF_CHECK(ones.find(kind) != std::string::npos);
    CAF_CHECK_NOT_EQUAL(ones, run(other, name));
  }
  CAF_CHECK_EQUAL(run(one, "import os\nopen('/tmp/x', 'w').write('1')\nresult = os.listdir('/tmp')"), R"(["x"])");
  CAF_CHECK_EQUAL(run(other, "import os\nresult = os.listdir('/tmp')"), "[]");
  CAF_CHECK_EQUAL(run(one, "import os\nresult = sorted(os.listdir('/var/task'))"), R"(["main.py"])");
  CAF_CHECK_EQUAL(run(one, "import os\nresult = os.getcwd()"), R"("/var/task")");
  CAF_CHECK_EQUAL(run(one, std::string{interfaces}), R"(["lo"])");
  CAF_CHECK_EQUAL(run(one, "import os\nresult = [d for d in os.listdir('/proc') if d.isdigit()]"), R"(["1", "2"])");
  CAF_CHECK_EQUAL(run(one, "import os\nresult = [os.getuid(), os.getgid(), os.getgroups()]"), "[1000, 1000, []]");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    CAF_CHECK_EQUAL(
      eval(one, "[l.split()[1] for l in open('/proc/self/status') if l.startswith('" + std::string{set} + ":')][0]"),
      R"("0000000000000000")");
  CAF_CHECK_EQUAL(eval(one, "[l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs:')][0]"),
                  R"("1")");
  CAF_CHECK_EQUAL(run(one, "import os\nresult = sorted(int(n) for n in os.listdir('/proc/self/fd'))[:4]"),
                  "[0, 1, 2, 3]"); // and 3 is the listing's
  CAF_CHECK_EQUAL(eval(one, "open('/proc/sys/user/max_user_namespaces').read()"), R"("0\n")");
}

CAF_TEST(a copy cannot do what its template had to) {
  load_fit(noting);
  auto& one = copy();
  const std::string call = "import ctypes\n"
                           "libc = ctypes.CDLL(None, use_errno=True)\n"
                           "def call(*args):\n"
                           "    return ctypes.get_errno() if libc.syscall(*args) == -1 else 'done'\n";
  const auto error_of = [&](const std::string& arguments) {
    return run(one, call + "result = call(" + arguments + ")");
  };
  const auto eperm = std::to_string(EPERM);
  CAF_CHECK_EQUAL(error_of("308, 0, 0x7e020000"), eperm);          // setns
  CAF_CHECK_EQUAL(error_of("126, 0, 0"), eperm);                   // capset
  CAF_CHECK_EQUAL(error_of("157, 24, 0, 0, 0, 0"), eperm);         // PR_CAPBSET_DROP
  CAF_CHECK_EQUAL(error_of("157, 22, 2, 0, 0, 0"), eperm);         // PR_SET_SECCOMP
  CAF_CHECK_EQUAL(error_of("56, 0x8000 | 17, 0, 0, 0, 0"), eperm); // clone with CLONE_PARENT
  CAF_CHECK_EQUAL(error_of("272, 0x10000000"), eperm);             // unshare
}

CAF_TEST(a template cannot make namespaces or mounts either) {
  load_fit("import ctypes\n"
           "libc = ctypes.CDLL(None, use_errno=True)\n"
           "def call(*args):\n"
           "    return ctypes.get_errno() if libc.syscall(*args) == -1 else 'done'\n"
           "seen = [call(272, 0x10000000), call(56, 0x10000000 | 17, 0, 0, 0, 0), call(435, 0, 0),\n"
           "        call(165, b'x', b'/tmp', b'tmpfs', 0, 0), call(308, 0, 0x20000000), call(161, b'/tmp')]\n"
           + std::string{runner});
  auto& one = copy();
  CAF_CHECK_EQUAL(run(one, "import main\nresult = main.seen"), "[1, 1, 38, 1, 1, 1]");
}

CAF_TEST(what a copy is given is its own) {
  load_fit("import os, random, ssl, time\nrandom.gauss(0, 1)\n" + std::string{runner}); // which draws two at a time
  auto& one = copy();
  auto& other = copy();
  for (const char* code : {"import ssl\nresult = ssl.RAND_bytes(8).hex()", "import random\nresult = random.gauss(0, 1)",
                           "import random\nresult = random.random()", "import uuid\nresult = str(uuid.uuid4())",
                           "import os\nresult = os.environ['AWS_LAMBDA_LOG_STREAM_NAME']"})
    CAF_CHECK_NOT_EQUAL(run(one, code), run(other, code));
  CAF_CHECK_EQUAL(run(one, "import os\nresult = os.environ['COLOUR']"), R"("blue")");
}

CAF_TEST(templates draw different random numbers while they load) {
  std::set<std::string> drawn;
  for (int i = 0; i < 2; ++i) {
    load_fit("import random\ndrawn = random.random()\n" + std::string{runner});
    drawn.insert(run(copy(), "import main\nresult = main.drawn"));
  }
  CAF_CHECK_EQUAL(drawn.size(), 2u);
}

CAF_TEST(hooks run before and after) {
  load_fit("from snapshot_restore_py import register_before_snapshot, register_after_restore\n"
           "seen = []\n"
           "@register_before_snapshot\n"
           "def first(): seen.append('first')\n"
           "register_before_snapshot(seen.append, 'second')\n"
           "register_after_restore(lambda: seen.append('third'))\n"
           "register_after_restore(seen.append, 'fourth')\n"
           + std::string{runner});
  CAF_CHECK_EQUAL(run(copy(), "import main\nresult = main.seen"), R"(["second", "first", "third", "fourth"])");
  CAF_CHECK_EQUAL(run(copy(), "import main\nresult = main.seen"), R"(["second", "first", "third", "fourth"])");
}

CAF_TEST(a hook that raises is told) {
  load_fit("import snapshot_restore_py\n"
           "@snapshot_restore_py.register_after_restore\n"
           "def connect(): raise OSError('nobody there')\n"
           + std::string{runner});
  auto process = launch(of);
  const auto first = read_frame(process);
  CAF_REQUIRE(first.has_value());
  CAF_CHECK(first->header.kind == troupe::wire::frame_kind::failed);
  CAF_CHECK(first->payload.find("Runtime.AfterRestoreError") != std::string::npos);
  CAF_CHECK(first->payload.find("nobody there") != std::string::npos);
  factory->bury(std::move(process));
}

CAF_TEST(what cannot be copied is not ) {
  CAF_CHECK_EQUAL(unfit_because("import threading, time\n"
                                "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
                                + std::string{runner}),
                  "it has started threads or processes");
  CAF_CHECK_EQUAL(
    unfit_because("import subprocess\nsubprocess.Popen(['/usr/bin/sleep', '1000'])\n" + std::string{runner}),
    "it has started threads or processes");
  CAF_CHECK_EQUAL(unfit_because("import socket\ns = socket.socket()\n" + std::string{runner}), "it has opened sockets");
  CAF_CHECK_EQUAL(unfit_because("f = open('/tmp/x', 'w')\n" + std::string{runner}), "it holds files open");
}

CAF_TEST(sandboxes outlive their template) {
  auto& loaded = load_fit(noting);
  auto& one = copy();
  CAF_CHECK(end(loaded).why == sandbox_death::cause::signalled);
  CAF_CHECK_EQUAL(run(one, "result = 1"), "1");
  // A copy is asked for all the same: it loads the handler itself.
  CAF_CHECK_EQUAL(run(copy(), "result = 2"), "2");
  CAF_CHECK_EQUAL(run(one, "import os\nos._exit(7)"), "(gone)");
  const auto death = end(one);
  CAF_CHECK(death.why == sandbox_death::cause::exited);
  CAF_CHECK_EQUAL(death.code, 7);
}

CAF_TEST(a template that dies is replaced by loading) {
  auto& loaded = load_fit(noting);
  ::kill(loaded.pid, SIGKILL);
  CAF_CHECK_EQUAL(run(copy(), "result = 3"), "3");
}

CAF_TEST(memory of a copy is limited and counted by itself) {
  load_fit(noting);
  auto& other = copy();
  auto& one = copy();
  CAF_CHECK_EQUAL(run(one, "result = len(bytearray(256 << 20))"), "(gone)");
  const auto death = end(one);
  CAF_CHECK(death.why == sandbox_death::cause::out_of_memory);
  CAF_CHECK_GREATER(death.memory_peak_bytes, 100 * troupe::limits::mib);
  CAF_CHECK_EQUAL(run(other, "result = 4"), "4");
}

CAF_TEST(a copy stands still and goes on) {
  load_fit(noting);
  auto& one = copy();
  run(one, "import threading, time\n"
           "import builtins\n"
           "builtins.n = 0\n"
           "def count():\n"
           "    while True:\n"
           "        builtins.n += 1\n"
           "        time.sleep(0.001)\n"
           "threading.Thread(target=count, daemon=True).start()\n");
  CAF_REQUIRE(one.standstill.freeze());
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!stands_still(one) && std::chrono::steady_clock::now() < until)
    continue;
  CAF_CHECK(stands_still(one));
  CAF_REQUIRE(one.standstill.thaw());
  CAF_CHECK_EQUAL(run(one, "result = 5"), "5");
}

CAF_TEST(nothing stays) {
  const auto before = children();
  const auto groups = cgroups_of(settings.cgroup_name);
  std::vector<fs::path> cells;
  const auto list = [&] {
    std::multiset<std::string> result;
    for (const auto& group : groups)
      for (const auto& entry : fs::directory_iterator{group})
        if (entry.is_directory())
          result.insert(entry.path());
    return result;
  };
  const auto cells_before = list();
  for (int i = 0; i < 2; ++i) {
    auto& loaded = load_fit(noting);
    copy();
    copy();
    fill_pools(); // shells ahead
    end(loaded);
    while (!processes.empty())
      end(processes.front());
  }
  CAF_CHECK_EQUAL(children().size(), before.size());
  CAF_CHECK(list() == cells_before);
}

CAF_TEST_FIXTURE_SCOPE_END()
