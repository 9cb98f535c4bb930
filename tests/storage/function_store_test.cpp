#define CAF_SUITE storage.function_store

#include "storage/function_store.hpp"

#include "scratch.hpp"

#include <caf/test/unit_test.hpp>

#include <rocksdb/db.h>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::testing;

namespace {

struct fixture {
  scratch_directory scratch;
  std::shared_ptr<database> db = open(scratch.path());
  function_store store{db};

  void reopen() {
    store = function_store{nullptr};
    db.reset();
    db = open(scratch.path());
    store = function_store{db};
  }

  bool has_bundle(std::string_view zip) { return static_cast<bool>(store.bundle(digest::of(zip))); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(function_store_tests, fixture)

CAF_TEST(functions are stored and found) {
  const auto function = sample_function("hello", "zip");
  CAF_CHECK_EQUAL(store.put(function, "zip"), caf::none);
  CAF_CHECK(must(store.get("default", "hello")) == function);
  CAF_CHECK_EQUAL(must(store.bundle(function.bundle)), "zip");
  reopen();
  CAF_CHECK(must(store.get("default", "hello")) == function);
  CAF_CHECK_EQUAL(must(store.bundle(function.bundle)), "zip");
}

CAF_TEST(what is not there is not found) {
  CAF_CHECK(code_of(store.get("default", "none").error()) == errc::function_not_found);
  CAF_CHECK(code_of(store.remove("default", "none")) == errc::function_not_found);
  CAF_CHECK(code_of(store.bundle(digest{}).error()) == errc::function_not_found);
  CAF_CHECK_EQUAL(store.put(sample_function("hello", "zip"), "zip"), caf::none);
  CAF_CHECK(code_of(store.get("other", "hello").error()) == errc::function_not_found);
  CAF_CHECK_EQUAL(must(store.all()).size(), 1u);
}

CAF_TEST(all functions come by tenant and name) {
  for (const auto* tenant : {"b", "a"})
    for (const auto* name : {"z", "x", "y"}) {
      auto function = sample_function(name, "zip");
      function.config.tenant = tenant;
      CAF_CHECK_EQUAL(store.put(function, "zip"), caf::none);
    }
  std::string order;
  for (const auto& function : must(store.all()))
    order += function.config.tenant + function.config.name + " ";
  CAF_CHECK_EQUAL(order, "ax ay az bx by bz ");
}

CAF_TEST(an update of the configuration keeps the archive) {
  auto function = sample_function("hello", "zip");
  CAF_CHECK_EQUAL(store.put(function, "zip"), caf::none);
  function.config.memory_mb = 512;
  CAF_CHECK_EQUAL(store.put(function, ""), caf::none);
  CAF_CHECK_EQUAL(must(store.get("default", "hello")).config.memory_mb, 512u);
  CAF_CHECK(has_bundle("zip"));
}

CAF_TEST(an archive that nobody names any more is removed) {
  CAF_CHECK_EQUAL(store.put(sample_function("hello", "one"), "one"), caf::none);
  CAF_CHECK_EQUAL(store.put(sample_function("hello", "two"), "two"), caf::none);
  CAF_CHECK(!has_bundle("one"));
  CAF_CHECK(has_bundle("two"));
  CAF_CHECK_EQUAL(store.remove("default", "hello"), caf::none);
  CAF_CHECK(!has_bundle("two"));
  reopen();
  CAF_CHECK(!has_bundle("two"));
  CAF_CHECK_EQUAL(must(store.all()).size(), 0u);
}

CAF_TEST(a shared archive stays until the last function lets go of it) {
  CAF_CHECK_EQUAL(store.put(sample_function("a", "shared"), "shared"), caf::none);
  CAF_CHECK_EQUAL(store.put(sample_function("b", "shared"), ""), caf::none);
  auto other = sample_function("a", "shared");
  other.config.tenant = "other";
  CAF_CHECK_EQUAL(store.put(other, "shared"), caf::none);
  CAF_CHECK_EQUAL(store.put(sample_function("a", "new"), "new"), caf::none);
  CAF_CHECK(has_bundle("shared"));
  CAF_CHECK_EQUAL(store.remove("default", "b"), caf::none);
  CAF_CHECK(has_bundle("shared"));
  CAF_CHECK_EQUAL(store.remove("other", "a"), caf::none);
  CAF_CHECK(!has_bundle("shared"));
  CAF_CHECK(has_bundle("new"));
}

CAF_TEST(a function never names an archive that is not stored) {
  CAF_CHECK(code_of(store.put(sample_function("a", "zip"), "")) == errc::invalid_argument);
  CAF_CHECK(code_of(store.put(sample_function("a", "zip"), "another")) == errc::invalid_argument);
  CAF_CHECK_EQUAL(must(store.all()).size(), 0u);
}

CAF_TEST(names with zero bytes are refused) {
  using namespace std::string_literals;
  CAF_CHECK(code_of(store.put(sample_function("a\0b"s, "zip"), "zip")) == errc::invalid_argument);
  CAF_CHECK_EQUAL(must(store.all()).size(), 0u);
}

CAF_TEST(large archives are stored and their space comes back) {
  std::string zip(8 * 1024 * 1024, 'x');
  for (int i = 0; i < 4; ++i) {
    zip[0] = static_cast<char>('a' + i);
    CAF_REQUIRE_EQUAL(store.put(sample_function("big", zip), zip), caf::none);
  }
  CAF_CHECK_EQUAL(must(store.bundle(digest::of(zip))).size(), zip.size());
  CAF_REQUIRE(db->db().Flush({}, db->at(family::bundles)).ok());
  CAF_REQUIRE(db->db().CompactRange({}, db->at(family::bundles), nullptr, nullptr).ok());
  reopen();
  uintmax_t blobs = 0;
  for (const auto& file : std::filesystem::directory_iterator{scratch.path()})
    if (file.path().extension() == ".blob")
      blobs += file.file_size();
  CAF_CHECK_LESS(blobs, 2 * zip.size());
  CAF_CHECK(has_bundle(zip));
}

CAF_TEST(a damaged value is an error and a changed archive too) {
  const auto function = sample_function("hello", "zip");
  CAF_REQUIRE_EQUAL(store.put(function, "zip"), caf::none);
  CAF_REQUIRE(db->db()
                .Put({}, db->at(family::bundles),
                     function.bundle.bytes.size() == 32
                       ? std::string(function.bundle.bytes.begin(), function.bundle.bytes.end())
                       : "",
                     "other")
                .ok());
  CAF_CHECK(code_of(store.bundle(function.bundle).error()) == errc::storage_damaged);
  CAF_REQUIRE(db->db().Put({}, db->at(family::functions), std::string("default\0hello", 13), "damage").ok());
  CAF_CHECK(code_of(store.get("default", "hello").error()) == errc::storage_damaged);
  CAF_CHECK(code_of(store.all().error()) == errc::storage_damaged);
}

CAF_TEST_FIXTURE_SCOPE_END()
