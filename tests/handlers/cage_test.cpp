#define CAF_SUITE handlers.cage

#include "tests/handlers/sandbox_bed.hpp"

#include <caf/test/unit_test.hpp>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// What a handler sees and may do, asked from inside.

using namespace sandbox_bed;

namespace {

struct cage : open_bed {
  cage() : sandbox{runner_sandbox()} {}
  ~cage() { factory->bury(std::move(sandbox)); }

  /// The result of a Python expression, as JSON.
  std::string eval(const std::string& expression) { return run(sandbox, "result = " + expression); }

  /// The name of the error that a statement raises, or "null".
  std::string error_of(const std::string& statement) {
    return run(sandbox, "import os, socket\n"
                        "result = None\n"
                        "try:\n"
                        "  "
                          + statement
                          + "\n"
                            "except OSError as e:\n"
                            "  result = os.strerror(e.errno)\n");
  }

  /// The value of a line in /proc/self/status.
  std::string status(const std::string& key) {
    return eval("[l.split()[1] for l in open('/proc/self/status') if l.startswith('" + key + ":')][0]");
  }

  sandbox_process sandbox;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cage_tests, cage)

CAF_TEST(the root holds nothing of the node) {
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = ' '.join(sorted(os.listdir('/')))"),
                  "\"bin dev etc lib lib64 proc sbin tmp usr var\"");
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = ' '.join(sorted(os.listdir('/dev')))"),
                  "\"fd full null random shm stderr stdin stdout urandom zero\"");
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = os.path.exists('" + directory.string() + "')"), "false");
  CAF_CHECK_EQUAL(eval("[l.split(':')[0] for l in open('/etc/passwd')]"), R"(["root", "sandbox", "nobody"])");
}

CAF_TEST(the bundle is all there is in var task) {
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = os.listdir('/var/task')"), R"(["main.py"])");
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = os.getcwd()"), R"("/var/task")");
}

CAF_TEST(only tmp can be written) {
  for (const char* path : {"/x", "/etc/x", "/dev/x", "/usr/x", "/var/x", "/var/task/x", "/var/task/main.py"})
    CAF_CHECK_EQUAL(error_of(std::string{"open('"} + path + "', 'w')"), "\"Read-only file system\"");
  CAF_CHECK_EQUAL(error_of("open('/tmp/x', 'w').write('kept')"), "null");
  CAF_CHECK_EQUAL(eval("open('/tmp/x').read()"), "\"kept\"");
  CAF_CHECK_EQUAL(error_of("open('/dev/shm/y', 'w')"), "null");
  CAF_CHECK_EQUAL(error_of("os.mknod('/tmp/null', 0o20666, os.makedev(1, 3))"), "\"Operation not permitted\"");
}

CAF_TEST(tmp has a limit of its own) {
  // Sparse, so that it costs no memory: the size of the file system and of one file count.
  CAF_CHECK_EQUAL(run(sandbox, "import os\ns = os.statvfs('/tmp')\nresult = s.f_blocks * s.f_frsize"),
                  std::to_string(troupe::limits::ephemeral_storage_mb_default * troupe::limits::mib));
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = os.statvfs('/tmp').f_files"),
                  std::to_string(troupe::limits::tmp_inodes_max));
  CAF_CHECK_EQUAL(run(sandbox, "import signal, os\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)"), "null");
  CAF_CHECK_EQUAL(error_of("os.truncate(os.open('/tmp/big', os.O_CREAT | os.O_RDWR), 1 << 30)"), "\"File too large\"");
}

CAF_TEST(sandboxes do not share tmp) {
  CAF_CHECK_EQUAL(error_of("open('/tmp/secret', 'w').write('s')"), "null");
  auto other = runner_sandbox();
  CAF_CHECK_EQUAL(run(other, "import os\nresult = os.listdir('/tmp')"), "[]");
  factory->bury(std::move(other));
}

CAF_TEST(no other process is in sight) {
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = [p for p in os.listdir('/proc') if p.isdigit()]"), R"(["1"])");
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = [os.getpid(), os.getppid(), os.getpgid(0)]"), "[1, 0, 1]");
  CAF_CHECK_EQUAL(error_of("os.kill(2, 9)"), "\"No such process\"");
  CAF_CHECK_EQUAL(run(sandbox, "import threading\nresult = threading.get_native_id()"), "1");
}

CAF_TEST(no privilege is left and none can be had) {
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    CAF_CHECK_EQUAL(status(set), "\"0000000000000000\"");
  CAF_CHECK_EQUAL(status("NoNewPrivs"), "\"1\"");
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = [*os.getresuid(), *os.getresgid(), *os.getgroups()]"),
                  "[1000, 1000, 1000, 1000, 1000, 1000]");
  CAF_CHECK_EQUAL(error_of("os.setuid(0)"), "\"Operation not permitted\"");
  CAF_CHECK_EQUAL(error_of("socket.sethostname('x')"), "\"Operation not permitted\"");
}

CAF_TEST(no user namespace can be made) {
  constexpr std::string_view code = "import ctypes, os\n"
                                    "libc = ctypes.CDLL(None, use_errno=True)\n"
                                    "result = [libc.unshare(0x10000000), os.strerror(ctypes.get_errno())]";
  CAF_CHECK_EQUAL(run(sandbox, code), R"([-1, "Operation not permitted"])");
  CAF_CHECK_EQUAL(run(sandbox, "result = open('/proc/sys/user/max_user_namespaces').read()"), R"("0\n")");
}

CAF_TEST(each sandbox has user ids of its own) {
  auto other = runner_sandbox();
  constexpr std::string_view code = "result = open('/proc/self/uid_map').read().split()";
  const std::string mine = run(sandbox, code);
  CAF_CHECK_NOT_EQUAL(mine, run(other, code));
  CAF_CHECK_NOT_EQUAL(mine.find("\"65536\""), std::string::npos);
  struct stat here {};
  CAF_REQUIRE_EQUAL(::stat(("/proc/" + std::to_string(sandbox.pid)).c_str(), &here), 0);
  CAF_CHECK_GREATER(here.st_uid, 0x7000'0000u);
  factory->bury(std::move(other));
}

CAF_TEST(a blank sandbox has no bundle and nothing that it does not need) {
  fill_pools();
  const fs::path proc = "/proc/" + std::to_string(blank_id(sandbox.pid));
  CAF_CHECK_NOT_EQUAL(text_of(proc / "status").find("CapBnd:\t0000000000000000\n"), std::string::npos);
  CAF_CHECK_EQUAL(text_of(proc / "mountinfo").find(" /var/task "), std::string::npos);
  CAF_CHECK_EQUAL(std::distance(fs::directory_iterator{proc / "fd"}, {}), 6);
  CAF_CHECK_EQUAL(text_of(proc / "environ"), "");
}

CAF_TEST(keys are out of its reach) {
  constexpr std::string_view id = "import ctypes, os\n"
                                  "libc = ctypes.CDLL(None, use_errno=True)\n"
                                  "result = [libc.syscall(250, 0, -3, 0), os.strerror(ctypes.get_errno())]";
  CAF_CHECK_EQUAL(run(sandbox, id), R"([-1, "Operation not permitted"])"); // KEYCTL_GET_KEYRING_ID
}

CAF_TEST(files cannot be watched) {
  constexpr std::string_view code = "import ctypes, os\n"
                                    "libc = ctypes.CDLL(None, use_errno=True)\n"
                                    "result = [libc.inotify_init1(0), os.strerror(ctypes.get_errno())]";
  CAF_CHECK_EQUAL(run(sandbox, code), R"([-1, "Too many open files"])");
}

CAF_TEST(timers are few) {
  constexpr std::string_view code =
    "import ctypes\n"
    "libc = ctypes.CDLL(None)\n"
    "result = 0\n"
    "while result < 10000 and libc.syscall(222, 1, None, ctypes.byref(ctypes.c_int())) == 0:\n"
    "  result += 1";
  CAF_CHECK_LESS_OR_EQUAL(std::stoul(run(sandbox, code)), troupe::limits::pending_signals_max);
}

CAF_TEST(five descriptors are open) {
  constexpr std::string_view code = R"(import os
result = []
for fd in range(1024):
  try: os.fstat(fd)
  except OSError: continue
  result.append([os.readlink(f'/proc/self/fd/{fd}').split(':')[0], os.get_inheritable(fd)])
)";
  CAF_CHECK_EQUAL(run(sandbox, code),
                  R"([["/dev/null", true], ["pipe", true], ["pipe", true], ["pipe", false], ["pipe", false]])");
}

CAF_TEST(the network is loopback) {
  CAF_CHECK_EQUAL(run(sandbox, interfaces), R"(["lo"])");
  CAF_CHECK_EQUAL(error_of("socket.create_connection(('192.0.2.1', 80), 1)"), "\"Network is unreachable\"");
  CAF_CHECK_EQUAL(run(sandbox, "import socket\n"
                               "s = socket.create_server(('127.0.0.1', 8080))\n"
                               "c = socket.create_connection(('127.0.0.1', 8080), 5)\n"
                               "result = c.getpeername()[1]"),
                  "8080");
}

CAF_TEST(sockets of other families cannot be made not even as a pair) {
  CAF_CHECK_EQUAL(error_of("socket.socketpair(30, socket.SOCK_STREAM)"), "\"Operation not permitted\""); // TIPC
  CAF_CHECK_EQUAL(run(sandbox, "import socket\na, b = socket.socketpair()\na.send(b'x')\nresult = b.recv(1).decode()"),
                  "\"x\"");
}

CAF_TEST(only the function has put something into the environment) {
  ::setenv("TROUPE_TEST_SECRET", "s3cret", 1);
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = os.environ['COLOUR']"), R"("blue")");
  CAF_CHECK_EQUAL(run(sandbox, "import os\nresult = 's3cret' in str(os.environ)"), "false");
  CAF_CHECK_EQUAL(eval("len(open('/proc/1/environ').read())"), "0");
  ::unsetenv("TROUPE_TEST_SECRET");
}

CAF_TEST(names tell nothing of the node) {
  CAF_CHECK_EQUAL(run(sandbox, "import socket\nresult = socket.gethostname()"), R"("sandbox")");
  CAF_CHECK_EQUAL(run(sandbox, "result = sorted({l.strip().split(':')[2] for l in open('/proc/self/cgroup')})"),
                  R"(["/"])");
}

CAF_TEST(resources are limited) {
  CAF_CHECK_EQUAL(run(sandbox, "import resource as r\n"
                               "result = [*r.getrlimit(r.RLIMIT_NOFILE), *r.getrlimit(r.RLIMIT_CORE)]"),
                  "[1024, 1024, 0, 0]");
}

CAF_TEST(what it prints comes out of the log) {
  run(sandbox, "import os\nos.write(1, b'one ')\nos.write(2, b'two')");
  CAF_REQUIRE(troupe::handlers::wait_readable(sandbox.log.get(), 5s));
  char text[64];
  const ssize_t size = ::read(sandbox.log.get(), text, sizeof text);
  CAF_REQUIRE_GREATER(size, 0);
  CAF_CHECK_EQUAL(std::string(text, static_cast<size_t>(size)), "one two");
}

CAF_TEST_FIXTURE_SCOPE_END()
