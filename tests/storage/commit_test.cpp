#define CAF_SUITE storage.commit

#include "storage/commit.hpp"

#include "scratch.hpp"
#include "storage/function_store.hpp"
#include "storage/ledger_store.hpp"

#include <caf/test/unit_test.hpp>

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::testing;
namespace fs = std::filesystem;

namespace {

constexpr auto disk_variable = "TROUPE_TEST_SMALL_DISK";
constexpr int cannot_mount = 77;

/// Writes until the disk takes no more; gives the file that has to go for it to take something again.
fs::path fill_disk(const fs::path& directory) {
  auto file = directory / "filler";
  std::ofstream bytes{file, std::ios::binary};
  const std::string block(64 * 1024, 'x');
  while (bytes.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
  return file;
}

} // namespace

// Not a test but the process of the next one, with a small disk that only it sees.
CAF_TEST(live on a small disk) {
  const char* disk = ::getenv(disk_variable);
  if (!disk)
    return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  uint64_t stored = 0;
  const auto append = [&stored](ledger_store& ledger) {
    const auto record = sample_record(5'000'000, stored);
    auto err = ledger.append({&record, 1});
    stored += err ? 0 : 1;
    return err;
  };
  const std::string zip(100'000, 'z');
  {
    const auto db = open(fs::path{disk} / "db");
    ledger_store ledger{db};
    function_store functions{db};
    CAF_REQUIRE_EQUAL(functions.put(sample_function("kept", "zip"), "zip"), caf::none);
    CAF_REQUIRE_EQUAL(append(ledger), caf::none);
    const auto filler = fill_disk(disk);
    caf::error err;
    while (!err)
      err = append(ledger);
    CAF_MESSAGE(what_of(err));
    CAF_CHECK(code_of(err) == errc::io_error);
    CAF_CHECK(code_of(append(ledger)) == errc::io_error);
    CAF_CHECK(code_of(functions.put(sample_function("lost", zip), zip)) == errc::io_error);
    CAF_CHECK(code_of(functions.remove("default", "kept")) == errc::io_error);
    CAF_CHECK(code_of(db->sync()) == errc::io_error);
    CAF_CHECK_EQUAL(must(functions.bundle(digest::of(std::string_view{"zip"}))), "zip");
    CAF_CHECK_EQUAL(must(ledger.verify()).records, stored);
    fs::remove(filler);
  }
  const auto db = open(fs::path{disk} / "db");
  ledger_store ledger{db};
  CAF_CHECK_EQUAL(append(ledger), caf::none);
  const auto report = must(ledger.verify());
  CAF_CHECK_EQUAL(report.records, stored);
  CAF_CHECK(report.faults.empty());
  CAF_CHECK_EQUAL(must(function_store{db}.all()).size(), 1u);
}

CAF_TEST(a full disk fails writes and loses nothing that was written) {
  scratch_directory scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(disk_variable, scratch.path().c_str(), 1);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0
        || ::mount("none", scratch.path().c_str(), "tmpfs", 0, "size=8m") != 0)
      ::_exit(cannot_mount);
    ::execl("/proc/self/exe", "disk", "-v", "4", "-s", "storage.commit", "-t", "live on a small disk", nullptr);
    ::_exit(1);
  }
  int status = -1;
  CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == cannot_mount)
    CAF_MESSAGE("left out: only root can mount a small disk");
  else
    CAF_CHECK_EQUAL(status, 0);
}
