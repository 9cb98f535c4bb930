#define CAF_SUITE handlers.thaw_guard

#include "handlers/sandbox/thaw_guard.hpp"

#include "handlers/sandbox/small_file.hpp"

#include <caf/test/unit_test.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace troupe::handlers;

namespace {

/// A directory as the freezer's hierarchy has it, with groups that stand still.
struct fixture {
  fixture() {
    char name[] = "/tmp/troupe-test-XXXXXX";
    root = ::mkdtemp(name);
    for (const auto* group : {"1", "22"}) {
      fs::create_directory(root / group);
      std::ofstream{root / group / "freezer.state"} << "FROZEN";
    }
    fs::create_directory(root / "3"); // its group is going: it has no such file any more
  }
  ~fixture() { fs::remove_all(root); }

  bool goes_on(const char* group) const {
    return read_small_file((root / group / "freezer.state").string()).value_or("") == "THAWED";
  }

  fs::path root;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(thaw_guard_tests, fixture)

CAF_TEST(all groups of a node that is killed go on) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe(ends), 0);
  const int node = ::fork();
  if (node == 0) {
    const auto guard = thaw_guard::start(root.string());
    const bool told = guard && ::write(ends[1], "x", 1) == 1;
    ::close(ends[1]); // The guard has closed its own, so that the other side sees the end of both.
    while (told)
      ::pause();
    ::_exit(1);
  }
  ::close(ends[1]);
  char byte = 0;
  CAF_REQUIRE_EQUAL(::read(ends[0], &byte, 1), 1);
  CAF_CHECK(!goes_on("1"));
  ::kill(node, SIGKILL);
  CAF_CHECK_EQUAL(::waitpid(node, nullptr, 0), node);
  ::close(ends[0]);
  for (int looks = 0; looks < 10'000 && !(goes_on("1") && goes_on("22")); ++looks)
    ::usleep(1000);
  CAF_CHECK(goes_on("1"));
  CAF_CHECK(goes_on("22"));
}

CAF_TEST(a guard ends with its object) {
  {
    auto guard = thaw_guard::start(root.string());
    CAF_REQUIRE(guard);
    auto moved = std::move(*guard);
  }
  CAF_CHECK_EQUAL(::waitpid(-1, nullptr, WNOHANG), -1); // no child is left
  CAF_CHECK(goes_on("22"));
}

CAF_TEST(what cannot be guarded is said) {
  CAF_CHECK(!thaw_guard::start((root / "none").string()));
}

CAF_TEST_FIXTURE_SCOPE_END()
