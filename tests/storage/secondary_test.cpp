#define CAF_SUITE storage.secondary

#include "storage/database.hpp"

#include "scratch.hpp"
#include "storage/ledger_store.hpp"

#include <caf/test/unit_test.hpp>

#include <rocksdb/db.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::testing;
namespace fs = std::filesystem;

CAF_TEST(a secondary reads while the owner writes and after it stopped) {
  scratch_directory scratch;
  auto owner = open(scratch.path());
  ledger_store ledger{owner};
  std::vector<usage_record> batch;
  for (uint64_t n = 0; n < 500; ++n)
    batch.push_back(sample_record(5'000'000, n));
  CAF_REQUIRE_EQUAL(ledger.append(batch), caf::none);

  auto secondary = open(scratch.path(), database::access::secondary);
  const ledger_store reader{secondary};
  CAF_CHECK_EQUAL(must(reader.verify()).records, 500u);
  CAF_CHECK_EQUAL(must(reader.records({})).size(), 500u);

  // It follows the owner through its log, and through flushed and compacted tables.
  for (uint64_t round = 1; round <= 6; ++round) {
    for (auto& record : batch)
      record = sample_record(5'000'000, record.queued_ns + 1000);
    CAF_REQUIRE_EQUAL(ledger.append(batch), caf::none);
    if (round % 2 == 0)
      for (const auto each : {family::invocations, family::usage})
        CAF_REQUIRE(owner->db().Flush({}, owner->at(each)).ok());
    if (round % 3 == 0)
      for (const auto each : {family::invocations, family::usage})
        CAF_REQUIRE(owner->db().CompactRange({}, owner->at(each), nullptr, nullptr).ok());
    CAF_REQUIRE_EQUAL(secondary->catch_up(), caf::none);
    const auto report = must(reader.verify());
    CAF_CHECK_EQUAL(report.records, 500 * (round + 1));
    CAF_CHECK(report.faults.empty());
    const auto rows = must(reader.usage({}));
    CAF_REQUIRE_EQUAL(rows.size(), 1u);
    CAF_CHECK_EQUAL(rows.front().totals.invocations, 500 * (round + 1));
  }
  CAF_CHECK(ledger_store{secondary}.append(batch)); // It cannot write.

  owner.reset();
  ledger = ledger_store{nullptr};
  secondary = open(scratch.path(), database::access::secondary);
  CAF_CHECK_EQUAL(must(ledger_store{secondary}.verify()).records, 3500u);
}

CAF_TEST(a secondary sees whole batches while another thread writes) {
  scratch_directory scratch;
  auto owner = open(scratch.path());
  constexpr int rounds = 300;
  std::atomic<int> done = 0;
  std::thread writer{[&owner, &done] {
    ledger_store ledger{owner};
    std::vector<usage_record> batch;
    for (uint64_t n = 0; n < 100; ++n)
      batch.push_back(sample_record(5'000'000, n));
    for (; done < rounds; ++done) {
      for (auto& record : batch)
        record.id = uuid::make();
      if (ledger.append(batch))
        return;
      if (done % 100 == 50)
        owner->db().Flush({}, owner->at(done < 200 ? family::usage : family::invocations));
    }
  }};
  const auto secondary = open(scratch.path(), database::access::secondary);
  const ledger_store reader{secondary};
  uint64_t seen = 0;
  const auto look = [&] {
    CAF_CHECK_EQUAL(secondary->catch_up(), caf::none);
    const auto report = must(reader.verify());
    CAF_CHECK(report.faults.empty());
    CAF_CHECK_EQUAL(report.records % 100, 0u);
    CAF_CHECK_GREATER_OR_EQUAL(report.records, seen);
    seen = report.records;
  };
  do
    look();
  while (done < rounds);
  writer.join();
  look();
  CAF_CHECK_EQUAL(seen, 100u * rounds);
}

CAF_TEST(a secondary leaves nothing behind) {
  scratch_directory scratch;
  scratch_directory temporary;
  open(scratch.path() / "db");
  ::setenv("TMPDIR", temporary.path().c_str(), 1);
  {
    const auto secondary = open(scratch.path() / "db", database::access::secondary);
    CAF_CHECK_EQUAL(must(ledger_store{secondary}.verify()).records, 0u);
    CAF_CHECK(!fs::is_empty(temporary.path()));
  }
  ::unsetenv("TMPDIR");
  CAF_CHECK(fs::is_empty(temporary.path()));
  const auto result = database::open(scratch.path() / "no such", database::access::secondary);
  CAF_REQUIRE(!result);
  CAF_CHECK(code_of(result.error()) == errc::io_error);
  CAF_CHECK(!fs::exists(scratch.path() / "no such"));
}
