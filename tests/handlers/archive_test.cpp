#define CAF_SUITE handlers.archive

#include "archive_fixture.hpp"

#include "config/limits.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::handlers;
using namespace troupe::handlers::testing;

CAF_TEST_FIXTURE_SCOPE(archive_tests, archive_fixture)

CAF_TEST(what is packed is unpacked) {
  const auto zip = pack({{"f.py", "def f(event): pass\n", false},
                         {"bin/tool", std::string(100'000, 'x'), true},
                         {"a/b/c/deep.txt", "", false},
                         {"ü/☃.txt", "snow", false}});
  CAF_REQUIRE(zip);
  const auto files = list(*zip);
  CAF_REQUIRE(files);
  CAF_CHECK_EQUAL(*files, (std::vector<std::string>{"a/b/c/deep.txt", "bin/tool", "f.py", "ü/☃.txt"}));
  const auto before_umask = ::umask(0077);
  CAF_CHECK_EQUAL(unpack(*zip, bundle), caf::none);
  ::umask(before_umask);
  const std::map<std::string, std::string> expected = {
    {"bundles", "/"},
    {"bundles/b", "/"},
    {"bundles/b/a", "/"},
    {"bundles/b/a/b", "/"},
    {"bundles/b/a/b/c", "/"},
    {"bundles/b/a/b/c/deep.txt", ""},
    {"bundles/b/bin", "/"},
    {"bundles/b/bin/tool", std::string(100'000, 'x')},
    {"bundles/b/f.py", "def f(event): pass\n"},
    {"bundles/b/ü", "/"},
    {"bundles/b/ü/☃.txt", "snow"},
  };
  CAF_CHECK(found() == expected);
  const auto mode = [this](const char* path) {
    struct stat info {};
    CAF_REQUIRE_EQUAL(::stat((bundle / path).c_str(), &info), 0);
    return info.st_mode & 07777u;
  };
  CAF_CHECK_EQUAL(mode("."), 0755u);
  CAF_CHECK_EQUAL(mode("bin"), 0755u);
  CAF_CHECK_EQUAL(mode("bin/tool"), 0755u);
  CAF_CHECK_EQUAL(mode("f.py"), 0644u);
}

CAF_TEST(the same files give the same bytes) {
  const auto first = pack({{"b", "2", false}, {"a", "1", true}});
  ::setenv("TZ", "Asia/Tokyo", 1);
  ::tzset();
  const auto second = pack({{"a", "1", true}, {"b", "2", false}});
  ::unsetenv("TZ");
  ::tzset();
  CAF_REQUIRE(first && second);
  CAF_CHECK(*first == *second);
}

CAF_TEST(what could not be unpacked is not packed) {
  for (const auto* path : {"/etc/passwd", "../up", "a/../../b", "", "a\\b", "\xff"})
    CAF_CHECK(!pack({{path, "x", false}}));
  CAF_CHECK(!pack({}));
  CAF_CHECK(!pack({{"a", "1", false}, {"a", "2", false}}));
  CAF_CHECK(!pack({{"a", "1", false}, {"a/b", "2", false}}));
}

CAF_TEST(hand - made archives are read and times and links are kept) {
  zip_maker zip;
  zip.file("dir/real.txt", "content")
    .link("alias", "dir/real.txt")
    .link("dir/up", "../alias")
    .link("nowhere", "dir/no");
  raw_entry tool{"tool", "#!/bin/sh\n"};
  tool.mode = 0106755; // with set-user-id and set-group-id
  zip.add(tool);
  raw_entry directory{"dir/", ""};
  directory.mode = 040700;
  zip.add(directory);
  raw_entry dos{"DOS.TXT", "x"};
  dos.host = 0;
  zip.add(dos);
  zip.file("./dot/./f.py", "x").file("dot//g.py", "x");
  zip.comment = "a comment";
  CAF_CHECK_EQUAL(unpack(zip.make(), bundle), caf::none);
  CAF_CHECK_EQUAL(content(bundle / "alias"), "content");
  CAF_CHECK_EQUAL(content(bundle / "dir" / "up"), "content");
  CAF_CHECK_EQUAL(fs::read_symlink(bundle / "nowhere"), fs::path{"dir/no"});
  CAF_CHECK_EQUAL(content(bundle / "dot" / "f.py"), "x");
  CAF_CHECK_EQUAL(content(bundle / "dot" / "g.py"), "x");
  struct stat info {};
  CAF_REQUIRE_EQUAL(::stat((bundle / "tool").c_str(), &info), 0);
  CAF_CHECK_EQUAL(info.st_mode & 07777u, 0755u);
  std::tm when{};
  when.tm_year = 124;
  when.tm_mday = 1;
  when.tm_hour = 12;
  when.tm_isdst = -1;
  CAF_CHECK_EQUAL(info.st_mtime, std::mktime(&when));
  CAF_CHECK(list(zip.make()));
}

CAF_TEST(a deep path and long names within the bounds are taken) {
  std::string deep;
  while (deep.size() < limits::archive_path_bytes_max - 2)
    deep += "d/";
  deep += "f";
  CAF_CHECK_EQUAL(unpack(zip_maker{}.file(deep).file(std::string(255, 'n')).make(), bundle), caf::none);
  CAF_CHECK_EQUAL(content(bundle / deep), "x");
}

CAF_TEST(descriptors behind the data are read) {
  raw_entry entry{"f.py", "x"};
  entry.flags = 8;
  entry.descriptor = std::string("PK\7\x08", 4) + std::string(12, '\0');
  CAF_CHECK_EQUAL(unpack(zip_maker{}.add(entry).file("g.py").make(), bundle), caf::none);
  entry.descriptor += std::string(20, '\0');
  refused(zip_maker{}.add(entry).file("g.py").make(), "bytes that belong to none");
}

CAF_TEST(archives inside are files) {
  const auto inner = zip_maker{}.file("../evil").make();
  CAF_CHECK_EQUAL(unpack(zip_maker{}.file("inner.zip", inner).make(), bundle), caf::none);
  CAF_CHECK_EQUAL(content(bundle / "inner.zip"), inner);
}

CAF_TEST(many files are unpacked) {
  zip_maker many;
  for (int i = 0; i < 500; ++i)
    many.file("d" + std::to_string(i % 7) + "/" + std::to_string(i), std::to_string(i));
  CAF_CHECK_EQUAL(unpack(many.make(), bundle), caf::none);
  CAF_CHECK_EQUAL(content(bundle / "d3" / "73"), "73");
  CAF_CHECK_EQUAL(list(many.make())->size(), 500u);
}

CAF_TEST(a place that is taken or missing is an error and stays as it is) {
  const auto zip = zip_maker{}.file("f.py").make();
  CAF_CHECK_EQUAL(unpack(zip, bundle), caf::none);
  const auto before = found();
  CAF_CHECK(code_of(unpack(zip, bundle)) == errc::io_error);
  fs::create_symlink("/tmp", scratch / "bundles" / "link");
  CAF_CHECK(code_of(unpack(zip, scratch / "bundles" / "link")) == errc::io_error);
  fs::remove(scratch / "bundles" / "link");
  const auto error = unpack(zip, scratch / "no" / "b");
  CAF_CHECK(code_of(error) == errc::io_error);
  CAF_CHECK(what_of(error).find(scratch.string()) == std::string::npos);
  CAF_CHECK(found() == before);
}

CAF_TEST(a disk that refuses leaves nothing) {
  const auto zip = zip_maker{}.file("small").file("large", std::string(200'000, 'x')).make();
  // A limit on the size of files stands for a disk that is full.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(code_of(unpack(zip, bundle)) == errc::io_error ? 0 : 1);
  }
  int status = -1;
  CAF_REQUIRE_EQUAL(::waitpid(child, &status, 0), child);
  CAF_CHECK_EQUAL(status, 0);
  CAF_CHECK_EQUAL(found().size(), 1u);
}

CAF_TEST(a kill leaves nothing or everything under the name) {
  zip_maker maker;
  for (int i = 0; i < 40; ++i)
    maker.file("d" + std::to_string(i % 10) + "/" + std::to_string(i), std::string(3000, 'x'));
  const auto zip = maker.make();
  int complete = 0;
  for (int i = 0; i < 40; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const itimerval kill_after{{0, 0}, {0, 1 + i * i * 100}}; // SIGALRM ends it wherever it is then.
      ::setitimer(ITIMER_REAL, &kill_after, nullptr);
      ::_exit(unpack(zip, bundle) ? 1 : 0);
    }
    ::waitpid(child, nullptr, 0);
    if (fs::exists(bundle)) {
      ++complete;
      for (int j = 0; j < 40; ++j)
        CAF_CHECK_EQUAL(fs::file_size(bundle / ("d" + std::to_string(j % 10)) / std::to_string(j)), 3000u);
    }
    fs::remove_all(scratch / "bundles"); // with what the kill has left under another name
    fs::create_directory(scratch / "bundles");
  }
  CAF_MESSAGE("complete: " << complete);
}

CAF_TEST_FIXTURE_SCOPE_END()
