#define CAF_SUITE storage.database

#include "storage/database.hpp"

#include "scratch.hpp"
#include "storage/function_store.hpp"
#include "storage/ledger_store.hpp"
#include "storage/status.hpp"

#include <caf/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rocksdb/db.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::testing;
namespace fs = std::filesystem;

namespace {

using access = database::access;

constexpr auto owner_variable = "TROUPE_TEST_OWNED_DIRECTORY";

/// Files in `directory` with that extension.
std::vector<fs::path> files_with(const fs::path& directory, std::string_view extension) {
  std::vector<fs::path> found;
  for (const auto& file : fs::directory_iterator{directory})
    if (file.path().extension() == extension && fs::file_size(file) > 0)
      found.push_back(file.path());
  std::sort(found.begin(), found.end()); // The names are numbers of six digits: by age.
  return found;
}

/// Some functions and records, partly in tables and partly in the log.
void fill(const fs::path& directory) {
  auto db = open(directory);
  function_store functions{db};
  ledger_store ledger{db};
  for (int round = 0; round < 2; ++round) {
    const std::string zip = "archive " + std::to_string(round);
    CAF_REQUIRE_EQUAL(functions.put(sample_function("f" + std::to_string(round), zip), zip), caf::none);
    for (uint64_t n = 0; n < 100; ++n) {
      const auto record = sample_record(5'000'000, n + 1000 * static_cast<uint64_t>(round));
      CAF_REQUIRE_EQUAL(ledger.append({&record, 1}), caf::none);
    }
    if (round == 0)
      for (const auto each : {family::functions, family::bundles, family::invocations, family::usage})
        CAF_REQUIRE(db->db().Flush({}, db->at(each)).ok());
  }
}

void check_filled(const std::shared_ptr<database>& db) {
  CAF_CHECK_EQUAL(must(function_store{db}.all()).size(), 2u);
  const auto report = must(ledger_store{db}.verify());
  CAF_CHECK_EQUAL(report.records, 200u);
  CAF_CHECK(report.faults.empty());
}

void overwrite(const fs::path& file, std::streamoff at, size_t count) {
  std::fstream bytes{file, std::ios::in | std::ios::out | std::ios::binary};
  bytes.seekp(at);
  for (size_t i = 0; i < count; ++i)
    bytes.put('\x5a');
}

/// What opening says after `harm` was done to a database that was filled.
caf::error open_after(const std::function<void(const fs::path&)>& harm) {
  scratch_directory scratch;
  const auto directory = scratch.path() / "db";
  fill(directory);
  harm(directory);
  const auto result = database::open(directory, access::owner);
  return result ? caf::error{} : result.error();
}

void check_damaged(const caf::error& error) {
  CAF_CHECK(code_of(error) == errc::storage_damaged);
  const auto text = what_of(error);
  CAF_MESSAGE(text);
  CAF_CHECK(!text.empty());
  CAF_CHECK(text.find('\n') == std::string::npos);
  CAF_CHECK(text.find('/') == std::string::npos);
}

} // namespace

CAF_TEST(a fresh database is empty and can be opened again) {
  scratch_directory scratch;
  const auto directory = scratch.path() / "deep" / "down" / "db";
  for (int i = 0; i < 3; ++i) {
    const auto db = open(directory);
    CAF_CHECK(db->mode() == access::owner);
    CAF_CHECK_EQUAL(must(function_store{db}.all()).size(), 0u);
    CAF_CHECK_EQUAL(must(ledger_store{db}.verify()).records, 0u);
    CAF_CHECK_EQUAL(db->catch_up(), caf::none);
    CAF_CHECK_EQUAL(db->sync(), caf::none);
  }
}

CAF_TEST(what was stored is there after opening again) {
  scratch_directory scratch;
  fill(scratch.path());
  for (int i = 0; i < 3; ++i)
    check_filled(open(scratch.path()));
}

CAF_TEST(one process has one owner at a time) {
  scratch_directory scratch;
  auto db = open(scratch.path());
  const auto second = database::open(scratch.path(), access::owner);
  CAF_REQUIRE(!second);
  CAF_CHECK(code_of(second.error()) == errc::already_running);
  db.reset();
  CAF_CHECK(database::open(scratch.path(), access::owner));
}

// Not a test but the other process of the next one, which starts this program again: a fork alone would lack
// RocksDB's threads.
CAF_TEST(hold the database) {
  const char* directory = ::getenv(owner_variable);
  if (!directory)
    return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto db = open(directory);
  const auto record = sample_record(5'000'000, 1);
  CAF_REQUIRE_EQUAL(ledger_store{db}.append({&record, 1}), caf::none);
  CAF_REQUIRE_EQUAL(::write(STDIN_FILENO, "y", 1), 1);
  ::pause();
}

CAF_TEST(another process is kept out and a kill lets it in) {
  scratch_directory scratch;
  int channel[2];
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
  ::setenv(owner_variable, scratch.path().c_str(), 1);
  const pid_t owner = ::fork();
  if (owner == 0) {
    ::dup2(channel[1], STDIN_FILENO);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::execl("/proc/self/exe", "owner", "-s", "storage.database", "-t", "hold the database", nullptr);
    ::_exit(1);
  }
  ::unsetenv(owner_variable);
  ::close(channel[1]);
  char answer = 0;
  CAF_CHECK_EQUAL(::read(channel[0], &answer, 1), 1); // 0 when it ended
  const auto second = database::open(scratch.path(), access::owner);
  CAF_CHECK(!second && code_of(second.error()) == errc::already_running);
  ::kill(owner, SIGKILL);
  CAF_CHECK_EQUAL(::waitpid(owner, nullptr, 0), owner);
  ::close(channel[0]);
  // What the killed owner had appended without a sync is there.
  CAF_CHECK_EQUAL(must(ledger_store{open(scratch.path())}.verify()).records, 1u);
}

CAF_TEST(a kill may tear the last record of the log) {
  scratch_directory scratch;
  fill(scratch.path());
  const auto logs = files_with(scratch.path(), ".log");
  CAF_REQUIRE(!logs.empty());
  fs::resize_file(logs.back(), fs::file_size(logs.back()) - 5);
  CAF_CHECK_EQUAL(must(ledger_store{open(scratch.path())}.verify()).records, 199u);
}

CAF_TEST(missing files are damage) {
  for (const auto* extension : {".sst", ".blob"}) {
    CAF_MESSAGE(extension);
    check_damaged(open_after([extension](const fs::path& directory) {
      const auto files = files_with(directory, extension);
      CAF_REQUIRE(!files.empty());
      fs::remove(files.front());
    }));
  }
  check_damaged(open_after([](const fs::path& directory) { fs::remove(directory / "CURRENT"); }));
  check_damaged(open_after([](const fs::path& directory) {
    for (const auto& file : files_with(directory, ".log"))
      fs::remove(file);
  }));
  check_damaged(open_after([](const fs::path& directory) {
    for (const auto& file : fs::directory_iterator{directory})
      if (file.path().filename().string().starts_with("MANIFEST"))
        fs::remove(file);
  }));
}

CAF_TEST(changed files are damage) {
  check_damaged(open_after([](const fs::path& directory) {
    const auto file = files_with(directory, ".sst").front();
    overwrite(file, static_cast<std::streamoff>(fs::file_size(file)) - 60, 40); // its footer
  }));
  check_damaged(open_after([](const fs::path& directory) {
    const auto file = files_with(directory, ".sst").front();
    fs::resize_file(file, fs::file_size(file) - 1);
  }));
  check_damaged(
    open_after([](const fs::path& directory) { overwrite(files_with(directory, ".log").back(), 100, 40); }));
  check_damaged(open_after([](const fs::path& directory) { overwrite(directory / "CURRENT", 0, 5); }));
  check_damaged(open_after([](const fs::path& directory) {
    for (const auto& file : fs::directory_iterator{directory})
      if (file.path().filename().string().starts_with("MANIFEST"))
        overwrite(file, 20, 20);
  }));
}

CAF_TEST(an archive that changed on disk does not match its digest or checksum) {
  scratch_directory scratch;
  fill(scratch.path());
  for (const auto& file : files_with(scratch.path(), ".blob"))
    overwrite(file, static_cast<std::streamoff>(fs::file_size(file)) / 2, 4);
  const auto db = database::open(scratch.path(), access::owner);
  if (!db)
    return check_damaged(db.error());
  const function_store functions{*db};
  check_damaged(functions.bundle(must(functions.get("default", "f0")).bundle).error());
}

CAF_TEST(a later schema is refused and left as it is) {
  scratch_directory scratch;
  {
    const auto db = open(scratch.path());
    CAF_REQUIRE(db->db().Put({}, db->at(family::meta), "schema", std::string{"\0\0\0\2", 4}).ok());
  }
  std::set<std::string> before;
  for (const auto& file : fs::directory_iterator{scratch.path()})
    before.insert(file.path().filename());
  for (const auto how : {access::owner, access::secondary}) {
    const auto result = database::open(scratch.path(), how);
    CAF_REQUIRE(!result);
    check_damaged(result.error());
    CAF_CHECK(what_of(result.error()).find("later version") != std::string::npos);
  }
  std::set<std::string> after;
  for (const auto& file : fs::directory_iterator{scratch.path()})
    after.insert(file.path().filename());
  CAF_CHECK(before == after);
}

CAF_TEST(a family that is unknown here is a later schema) {
  scratch_directory scratch;
  {
    const auto db = open(scratch.path());
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    CAF_REQUIRE(db->db().CreateColumnFamily({}, "later", &handle).ok());
    CAF_REQUIRE(db->db().DestroyColumnFamilyHandle(handle).ok());
  }
  for (const auto how : {access::owner, access::secondary}) {
    const auto result = database::open(scratch.path(), how);
    CAF_REQUIRE(!result);
    check_damaged(result.error());
  }
}

CAF_TEST(a database that lost its version is damaged and one that was never filled is not ) {
  scratch_directory scratch;
  const auto forget = [&scratch] {
    const auto db = open(scratch.path());
    CAF_REQUIRE(db->db().Delete({}, db->at(family::meta), "schema").ok());
  };
  forget();
  CAF_CHECK(database::open(scratch.path(), access::owner));
  fill(scratch.path());
  forget();
  const auto result = database::open(scratch.path(), access::owner);
  CAF_REQUIRE(!result);
  check_damaged(result.error());
}

CAF_TEST(a directory that cannot be used is an io error) {
  scratch_directory scratch;
  std::ofstream{scratch.path() / "file"} << "x";
  for (const auto how : {access::owner, access::secondary}) {
    const auto result = database::open(scratch.path() / "file" / "db", how);
    CAF_REQUIRE(!result);
    CAF_CHECK(code_of(result.error()) == errc::io_error);
    CAF_CHECK(what_of(result.error()).find(scratch.path().string()) == std::string::npos);
  }
}

CAF_TEST(texts of errors hold no directories) {
  CAF_CHECK_EQUAL(without_directories("IO error: No such file: While stat: /var/lib/db/000012.sst: gone\n"),
                  "IO error: No such file: While stat: 000012.sst: gone ");
  CAF_CHECK_EQUAL(without_directories(""), "");
  CAF_CHECK_EQUAL(to_error(rocksdb::Status::OK(), "nothing"), caf::none);
  CAF_CHECK(code_of(to_error(rocksdb::Status::IOError("x"), "step")) == errc::io_error);
  CAF_CHECK(code_of(to_error(rocksdb::Status::Corruption("x"), "step")) == errc::storage_damaged);
}
