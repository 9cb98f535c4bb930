#define CAF_SUITE handlers.packages

#include "tests/handlers/sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <signal.h>

// Zygotes with packages, as functions see them: what is imported when, and that nothing else differs.

using namespace sandbox_bed;
using troupe::handlers::preparation;
using troupe::handlers::wait_readable;

namespace {

/// Every import of it takes a while, and leaves another mark.
constexpr std::string_view slow = "import os, time\n"
                                  "time.sleep(0.03)\n"
                                  "MARK = os.urandom(8).hex()\n";

/// What a sandbox may do and what it holds, as far as it can see that.
constexpr std::string_view cage = R"(import ctypes, os, resource, socket
def attempt(action, *arguments):
  try: return str(action(*arguments))
  except OSError as error: return error.strerror
kept = ('Cap', 'NoNewPrivs', 'Seccomp', 'Uid', 'Gid', 'Groups', 'NSp', 'NSsid', 'Threads', 'SigIgn', 'SigCgt')
result = [
  [line for line in open('/proc/self/status') if line.startswith(kept)],
  sorted(os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in range(6) if os.path.exists(f'/proc/self/fd/{fd}')),
  sorted(line.split()[4:6] for line in open('/proc/self/mountinfo')),
  [resource.getrlimit(kind) for kind in range(16)],
  [line.split(':')[0] for line in open('/proc/net/dev')],
  open('/proc/self/cgroup').read(), open('/proc/self/uid_map').read().split()[::2],
  os.getpid(), os.getppid(), os.getcwd(), os.sched_getscheduler(0), socket.gethostname(), os.listdir('/'),
  sorted(pid for pid in os.listdir('/proc') if pid.isdigit()),
  attempt(os.setuid, 0), attempt(os.chroot, '/'), attempt(os.mkdir, '/x'),
  attempt(os.open, '/opt/layer-1/x', os.O_CREAT | os.O_WRONLY), attempt(os.listdir, '/proc/1/task'),
  ctypes.CDLL(None).prctl(27, 0, 0, 0, 0),
]
)";

struct package_bed : bed {
  package_bed() {
    settings.layers = {directory / "layer"};
    settings.zygote_memory_bytes = 256 * troupe::limits::mib;
    layer("slow.py", slow);
  }

  void layer(const std::string& path, std::string_view text) const {
    fs::create_directories((directory / "layer" / path).parent_path());
    std::ofstream{directory / "layer" / path} << text;
  }

  /// A bundle with the runner, after some lines of its own.
  std::string runner_with(const std::string& name, std::string_view lines) {
    return bundle(name, std::string{lines} + std::string{runner});
  }

  /// Until the factory has nothing more to do and waits for nobody.
  void settle() {
    const auto end = std::chrono::steady_clock::now() + 60s;
    for (auto last = factory->prepare_one(); last != preparation::full; last = factory->prepare_one()) {
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error("the factory does not settle");
      if (last == preparation::waiting)
        ::poll(nullptr, 0, 1);
    }
  }

  /// What `code` gives in a new sandbox of that bundle.
  std::string ask(const std::string& bundle_dir, std::string_view code) {
    auto process = launch(spec(bundle_dir));
    const auto first = read_frame(process);
    if (!first || first->header.kind != troupe::wire::frame_kind::ready)
      throw std::runtime_error("the handler is not ready: " + (first ? first->payload : "ended"));
    auto result = run(process, code);
    factory->bury(std::move(process));
    return result;
  }

  /// Launches it until a zygote has what it imports.
  void warm(const std::string& bundle_dir) {
    for (uint32_t i = 0; i < troupe::limits::package_misses_min; ++i)
      ask(bundle_dir, "result = 0");
    settle();
  }

  static long children_named(const std::string& name) {
    const auto all = children();
    return std::ranges::count_if(
      all, [&](int pid) { return text_of("/proc/" + std::to_string(pid) + "/comm") == name + "\n"; });
  }

  static int package_zygote() { return child_named("troupe-packages"); }
};

constexpr std::string_view mark = "import slow\nresult = slow.MARK";

struct warm_bed : package_bed {
  warm_bed() {
    open();
    user = runner_with("user", "import slow\n");
    warm(user);
  }

  std::string user;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(package_tests, warm_bed)

CAF_TEST(a package is imported once for all sandboxes that come after) {
  const auto first = ask(user, mark);
  CAF_CHECK_EQUAL(ask(user, mark), first);
  CAF_CHECK_EQUAL(ask(runner_with("another", "from slow import MARK\n"), mark), first);
  CAF_CHECK_GREATER(package_zygote(), 0);
}

CAF_TEST(a function does not have what it does not import) {
  constexpr std::string_view is_there = "import sys\nresult = 'slow' in sys.modules";
  CAF_CHECK_EQUAL(ask(user, is_there), "true");
  CAF_CHECK_EQUAL(ask(runner_bundle, is_there), "false");
  CAF_CHECK_EQUAL(ask(runner_with("late", "def f():\n  import slow\n"), is_there), "false");
  const auto first = ask(user, mark);
  CAF_CHECK_NOT_EQUAL(ask(runner_bundle, mark), first); // it can import it all the same
}

CAF_TEST(a bundle with a copy of its own has that) {
  const auto own = runner_with("own", "import slow\n");
  std::ofstream{fs::path{own} / "slow.py"} << "MARK = 'own'\n";
  CAF_CHECK_EQUAL(ask(own, mark), R"("own")");
  const auto deep = runner_with("deep", "import sys\nsys.path.insert(0, '/var/task/vendor')\nimport slow\n");
  fs::create_directories(fs::path{deep} / "vendor/slow");
  std::ofstream{fs::path{deep} / "vendor/slow/__init__.py"} << "MARK = 'vendored'\n";
  CAF_CHECK_EQUAL(ask(deep, mark), R"("vendored")");
}

CAF_TEST(a sandbox from a zygote with packages has the same cage) {
  const auto bare = ask(runner_bundle, cage);
  const auto other = ask(user, cage);
  CAF_CHECK_EQUAL(other, bare);
  CAF_CHECK_NOT_EQUAL(bare.find("Read-only file system"), std::string::npos);
}

CAF_TEST(a package zygote that died is replaced and its sandboxes go on) {
  const auto before = ask(user, mark);
  auto process = launch(spec(user));
  CAF_REQUIRE(read_frame(process).has_value());
  const int zygote = package_zygote();
  const auto watched = troupe::handlers::open_process(zygote);
  ::kill(zygote, SIGKILL);
  CAF_REQUIRE(wait_readable(watched.get(), 5s));
  CAF_CHECK_NOT_EQUAL(ask(user, mark), before);
  CAF_CHECK_EQUAL(run(process, mark), before);
  factory->bury(std::move(process));
  warm(user);
  CAF_CHECK_NOT_EQUAL(package_zygote(), zygote);
  CAF_CHECK_EQUAL(ask(user, mark), ask(user, mark));
}

CAF_TEST(a package zygote outlives the one that it was cloned from) {
  const auto before = ask(user, mark);
  ::kill(zygote_id(), SIGKILL);
  CAF_CHECK_EQUAL(ask(user, mark), before);
  CAF_CHECK_EQUAL(ask(runner_bundle, "result = 1"), "1");
}

CAF_TEST(a package zygote that hangs is passed over) {
  ::kill(package_zygote(), SIGSTOP);
  CAF_CHECK_EQUAL(ask(user, "result = 1"), "1");
  settle();
  CAF_CHECK_EQUAL(package_zygote(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST_FIXTURE_SCOPE(more_package_tests, package_bed)

CAF_TEST(zygotes are cloned from each other) {
  layer("slower.py", slow);
  layer("third.py", slow);
  open();
  const auto one = runner_with("one", "import slow\n");
  const auto two = runner_with("two", "import slow, slower\n");
  const auto other = runner_with("other", "import slow\nimport third\n");
  warm(one);
  warm(two);
  warm(other);
  const auto first = ask(one, mark);
  CAF_CHECK_EQUAL(ask(two, mark), first); // so it came from there
  CAF_CHECK_EQUAL(ask(other, mark), first);
  constexpr std::string_view both = "import slow, slower\nresult = slow.MARK + slower.MARK";
  CAF_CHECK_EQUAL(ask(two, both), ask(two, both));
  CAF_CHECK_EQUAL(ask(one, "import sys\nresult = 'slower' in sys.modules"), "false");
}

CAF_TEST(packages that a zygote cannot have are left to the sandboxes) {
  layer("threads.py", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
                      "time.sleep(0.02)\n");
  layer("broken.py", "raise ValueError('no')\n");
  layer("quits.py", "raise SystemExit(3)\n");
  layer("dies.py", "import os\nif os.getpid() != 1: os._exit(9)\n");
  layer("forks.py", "import os, time\nif os.getpid() != 1 and os.fork() == 0: time.sleep(1000)\n");
  layer("opens.py", "file = open('/dev/null')\n");
  open();
  for (const std::string name : {"threads", "dies", "forks", "opens"}) {
    CAF_MESSAGE(name);
    const auto user = runner_with("uses-" + name, "import " + name + "\n");
    warm(user);
    CAF_CHECK_EQUAL(package_zygote(), 0);
    CAF_CHECK_EQUAL(ask(user, "result = 1"), "1");
    settle();
    CAF_CHECK_EQUAL(package_zygote(), 0); // not again
  }
  for (const std::string name : {"broken", "quits"}) {
    CAF_MESSAGE(name);
    const auto user =
      runner_with("uses-" + name, "try:\n  raise RuntimeError\nexcept RuntimeError: pass\nimport " + name);
    for (int i = 0; i < 3; ++i) {
      auto process = launch(spec(user));
      if (const auto first = read_frame(process))
        CAF_CHECK(first->header.kind == troupe::wire::frame_kind::failed);
      factory->bury(std::move(process));
      settle();
      CAF_CHECK_EQUAL(package_zygote(), 0);
    }
  }
}

CAF_TEST(random numbers differ from sandbox to sandbox) {
  layer("numpy/__init__.py", std::string{slow} + "from . import random\n");
  layer("numpy/random.py", "seeded = 0\ndef seed():\n  global seeded\n  seeded += 1\n");
  settings.packages = {"ssl", "tempfile"};
  open();
  const auto user = runner_with("draws", "import numpy, random, ssl, tempfile, uuid\n");
  warm(user);
  constexpr std::string_view draw = "import numpy, random, ssl, tempfile, uuid\n"
                                    "result = [random.random(), ssl.RAND_bytes(8).hex(), uuid.uuid4().hex,\n"
                                    "  next(tempfile._get_candidate_names())]";
  constexpr std::string_view loaded_by = "import numpy\nresult = [numpy.MARK, numpy.random.seeded]";
  CAF_CHECK_EQUAL(ask(user, loaded_by), ask(user, loaded_by));
  CAF_CHECK_EQUAL(ask(user, "import numpy\nresult = numpy.random.seeded"), "1");
  std::set<std::string> drawn;
  for (int i = 0; i < 4; ++i) {
    std::istringstream parts{ask(user, draw)};
    for (std::string each; std::getline(parts, each, ',');)
      drawn.insert(each);
  }
  CAF_CHECK_EQUAL(drawn.size(), 16u);
}

CAF_TEST(what an import prints is not in the logs of functions) {
  layer("speaks.py", std::string{slow} + "import sys\nsys.stdout.write('half a line')\n");
  open();
  const auto user = runner_with("listens", "import speaks\n");
  warm(user);
  auto process = launch(spec(user));
  CAF_REQUIRE(read_frame(process).has_value());
  run(process, "print('hello')");
  char text[64] = {};
  CAF_REQUIRE_GREATER(::read(process.log.get(), text, sizeof text - 1), 0);
  CAF_CHECK_EQUAL(std::string{text}, "hello\n");
  factory->bury(std::move(process));
}

CAF_TEST(one that is larger than the budget goes) {
  layer("large.py", std::string{slow} + "data = bytearray(64 << 20)\n");
  settings.zygote_memory_bytes = 48 * troupe::limits::mib;
  open();
  const auto user = runner_with("user", "import large\n");
  warm(user);
  CAF_CHECK_EQUAL(package_zygote(), 0);
  auto what = spec(user);
  what.memory_mb = 512;
  auto process = launch(what);
  CAF_CHECK(read_frame(process)->header.kind == troupe::wire::frame_kind::ready);
  factory->bury(std::move(process));
}

CAF_TEST(without memory for them there are none) {
  settings.zygote_memory_bytes = 0;
  open();
  const auto user = runner_with("user", "import slow\n");
  warm(user);
  CAF_CHECK_EQUAL(package_zygote(), 0);
  CAF_CHECK_NOT_EQUAL(ask(user, mark), ask(user, mark));
}

CAF_TEST(the first of two layers wins and the system comes after both) {
  layer("argparse.py", "MARK = 'layer'\n");       // of the standard library
  layer("boto3/__init__.py", "MARK = 'layer'\n"); // of Debian's packages
  fs::create_directory(directory / "second");
  std::ofstream{directory / "second" / "slow.py"} << "MARK = 'second'\n";
  std::ofstream{directory / "second" / "other.py"} << "MARK = 'second'\n";
  settings.layers.push_back(directory / "second");
  open();
  CAF_CHECK_EQUAL(ask(runner_bundle, "import slow\nresult = slow.__file__"), R"("/opt/layer-1/slow.py")");
  CAF_CHECK_EQUAL(ask(runner_bundle, "import other\nresult = other.__file__"), R"("/opt/layer-2/other.py")");
  CAF_CHECK_EQUAL(ask(runner_bundle, "import boto3\nresult = boto3.MARK"), R"("layer")");
  CAF_CHECK_EQUAL(ask(runner_bundle, "import argparse\nresult = hasattr(argparse, 'MARK')"), "false");
}

CAF_TEST(a layer that is not there is told) {
  settings.layers = {directory / "nowhere"};
  auto made = troupe::handlers::make_sandbox_factory(settings);
  CAF_REQUIRE(!made);
  CAF_CHECK_EQUAL(troupe::what_of(made.error()),
                  "worker.layers: " + (directory / "nowhere").string() + ": No such file or directory");
}

CAF_TEST(a layer that sandboxes could not read is told) {
  fs::permissions(directory / "layer", fs::perms::owner_all);
  auto made = troupe::handlers::make_sandbox_factory(settings);
  CAF_REQUIRE(!made);
  CAF_CHECK_EQUAL(troupe::what_of(made.error()),
                  "worker.layers: " + (directory / "layer").string() + " is not open to all users (chmod -R o+rX)");
}

CAF_TEST(nothing is left of package zygotes either) {
  layer("endless.py", "import time\ntime.sleep(1000)\n");
  const auto before = children();
  open();
  const auto user = runner_with("user", "import slow\n");
  warm(user);
  auto running = launch(spec(user));
  CAF_REQUIRE(read_frame(running).has_value());
  // And one that is importing.
  const auto waits = runner_with("waits", "import endless\n");
  for (int i = 0; i < 2; ++i)
    factory->bury(launch(spec(waits)));
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (children_named("troupe-packages") < 2 && std::chrono::steady_clock::now() < until)
    factory->prepare_one();
  CAF_CHECK_EQUAL(children_named("troupe-packages"), 2);
  CAF_CHECK(factory->prepare_one() == preparation::waiting);
  factory.reset();
  CAF_CHECK(children() == before);
  CAF_CHECK(!read_frame(running));
}

CAF_TEST_FIXTURE_SCOPE_END()
