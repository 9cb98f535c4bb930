#define CAF_SUITE handlers.pace

#include "handlers/sandbox/pace.hpp"

#include <caf/test/unit_test.hpp>

#include <array>

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace troupe::handlers;

namespace {

/// A process that waits for its end.
struct waiting_process {
  waiting_process() : pid{::fork()} {
    while (pid == 0)
      ::pause();
  }
  ~waiting_process() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  waiting_process(const waiting_process&) = delete;
  waiting_process& operator=(const waiting_process&) = delete;

  /// Its slice as sched_getattr(2) tells it; 0 where the kernel has none to tell.
  uint64_t slice_ns() const {
    std::array<uint64_t, 6> attributes{}; // 48 bytes, the first version; the fourth word is sched_runtime
    CAF_REQUIRE_EQUAL(::syscall(SYS_sched_getattr, pid, attributes.data(), sizeof attributes, 0), 0);
    return attributes[3];
  }

  pid_t pid;
};

} // namespace

CAF_TEST(each pace has its policy and each slice its length) {
  const waiting_process process;
  CAF_REQUIRE(process.pid > 0);
  CAF_REQUIRE(set_pace(process.pid, pace::eager));
  CAF_CHECK_EQUAL(::sched_getscheduler(process.pid), SCHED_OTHER);
  const auto eager = process.slice_ns();
  CAF_REQUIRE(set_pace(process.pid, pace::heavy));
  CAF_CHECK_EQUAL(::sched_getscheduler(process.pid), SCHED_BATCH);
  const auto heavy = process.slice_ns();
  CAF_REQUIRE(set_pace(process.pid, pace::crowded));
  CAF_CHECK_EQUAL(::sched_getscheduler(process.pid), SCHED_BATCH);
  const auto crowded = process.slice_ns();
  const bool has_slices = heavy != 0; // Linux 6.12
  CAF_CHECK(!has_slices || (eager < crowded && crowded < heavy));
}

CAF_TEST(a process that is gone has no pace) {
  pid_t pid = 0;
  {
    const waiting_process process;
    pid = process.pid;
  }
  CAF_CHECK(!set_pace(pid, pace::eager));
}
