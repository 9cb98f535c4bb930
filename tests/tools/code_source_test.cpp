#define CAF_SUITE tools.code_source

#include "tools/code_source.hpp"

#include "config/errc.hpp"
#include "handlers/bundle/archive.hpp"

#include <caf/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::tools;

namespace {

namespace fs = std::filesystem;

/// The text, or the error's words. By value: CAF's checks keep references longer than a temporary lives.
std::string value_of(const caf::expected<std::string>& result) {
  return result ? *result : what_of(result.error());
}

std::string handler_of(const fs::path& path) {
  const auto code = read_code(path);
  return code ? value_of(code->handler()) : what_of(code.error());
}

/// A directory of its own, with the code in it.
struct fixture {
  fixture() {
    char name[] = "/tmp/troupe-code-XXXXXX";
    root = mkdtemp(name);
  }

  ~fixture() { fs::remove_all(root); }

  void write(const std::string& path, std::string_view text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream{root / path, std::ios::binary} << text;
  }

  /// The paths that are packed, in order; the error for what cannot be read.
  std::vector<std::string> paths_of(const fs::path& path) const {
    const auto code = read_code(path);
    if (!code)
      return {what_of(code.error())};
    auto inside = handlers::list(code->zip);
    CAF_REQUIRE(inside);
    std::sort(inside->begin(), inside->end());
    auto told = code->paths;
    std::sort(told.begin(), told.end());
    CAF_CHECK(*inside == told);
    return told;
  }

  std::string error_of(const fs::path& path) const {
    const auto code = read_code(path);
    return code ? std::string{} : what_of(code.error());
  }

  fs::path root;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(code_source_tests, fixture)

CAF_TEST(a directory is packed without caches and history) {
  write("f.py", "def f(event): pass\n");
  write("lib/inner/data.json", "{}");
  write("__pycache__/f.pyc", "x");
  write("lib/__pycache__/g.pyc", "x");
  write(".git/config", "x");
  write(".hidden", "x");
  CAF_CHECK(paths_of(root) == std::vector<std::string>({".hidden", "f.py", "lib/inner/data.json"}));
  CAF_CHECK_EQUAL(handler_of(root), "f.f");
}

CAF_TEST(a single file is its own module) {
  write("greet.py", "def handler(event, context): pass\n");
  CAF_CHECK(paths_of(root / "greet.py") == std::vector<std::string>({"greet.py"}));
  CAF_CHECK_EQUAL(handler_of(root / "greet.py"), "greet.handler");
}

CAF_TEST(an archive is taken as it is) {
  const auto zip = handlers::pack({{"app.py", "def handler(e): pass", false}});
  CAF_REQUIRE(zip);
  write("code.zip", *zip);
  const auto code = read_code(root / "code.zip");
  CAF_REQUIRE(code);
  CAF_CHECK(code->zip == *zip);
  CAF_CHECK_EQUAL(handler_of(root / "code.zip"), "app.handler");
}

CAF_TEST(links to files are followed and links to directories refused) {
  write("outside.py", "x = 1\n");
  write("code/f.py", "def f(event): pass\n");
  fs::create_symlink(root / "outside.py", root / "code/linked.py");
  CAF_CHECK(paths_of(root / "code") == std::vector<std::string>({"f.py", "linked.py"}));
  fs::create_directory_symlink(root, root / "code/up");
  CAF_CHECK_EQUAL(error_of(root / "code"),
                  (root / "code/up").string() + ": a link to a directory; deploy what it points to");
}

CAF_TEST(what is no code is refused) {
  fs::create_directories(root / "empty");
  write("text.txt", "x");
  write("broken.zip", "no zip");
  write("pipe/f.py", "");
  CAF_REQUIRE(mkfifo((root / "pipe/fifo").c_str(), 0600) == 0);
  write("dangling/f.py", "");
  fs::create_symlink(root / "nowhere", root / "dangling/link");
  CAF_CHECK_EQUAL(error_of(root / "nowhere"), (root / "nowhere").string() + ": No such file or directory");
  CAF_CHECK_EQUAL(error_of(root / "empty"), (root / "empty").string() + ": there are no files in it");
  CAF_CHECK_EQUAL(error_of(root / "text.txt"),
                  (root / "text.txt").string() + ": neither a directory nor a .py or .zip file");
  CAF_CHECK(error_of(root / "broken.zip").starts_with((root / "broken.zip").string() + ": "));
  CAF_CHECK_EQUAL(error_of(root / "pipe"), (root / "pipe/fifo").string() + ": neither a file nor a directory");
  CAF_CHECK_EQUAL(error_of(root / "dangling"), (root / "dangling/link").string() + ": neither a file nor a directory");
}

CAF_TEST(inputs have a limit) {
  write("ten", "0123456789");
  CAF_CHECK_EQUAL(value_of(read_input(root / "ten", 10)), "0123456789");
  const auto failure = read_input(root / "ten", 9);
  CAF_REQUIRE(!failure);
  CAF_CHECK(code_of(failure.error()) == errc::payload_too_large);
  CAF_CHECK(code_of(read_input(root / "nowhere", 9).error()) == errc::io_error);
}

CAF_TEST_FIXTURE_SCOPE_END()
