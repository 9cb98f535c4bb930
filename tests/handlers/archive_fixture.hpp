#pragma once

#include "handlers/bundle/archive.hpp"

#include "zip_maker.hpp"

#include "config/errc.hpp"

#include <caf/test/unit_test.hpp>

#include <stdlib.h>

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

/// What the suites about archives share. Included behind the definition of CAF_SUITE.
namespace troupe::handlers::testing {

namespace fs = std::filesystem;

/// A directory for one test, and what is found in it.
struct archive_fixture {
  archive_fixture() {
    std::string name = (fs::temp_directory_path() / "troupe-test-XXXXXX").string();
    CAF_REQUIRE(::mkdtemp(name.data()));
    scratch = name;
    fs::create_directory(scratch / "bundles");
    bundle = scratch / "bundles" / "b";
  }
  ~archive_fixture() {
    std::error_code ignored;
    fs::remove_all(scratch, ignored);
  }

  /// Everything below the scratch directory, with the content of files and the targets of links.
  std::map<std::string, std::string> found() const {
    std::map<std::string, std::string> all;
    for (const auto& each : fs::recursive_directory_iterator{scratch}) {
      auto& value = all[each.path().lexically_relative(scratch)];
      if (each.is_symlink())
        value = "-> " + fs::read_symlink(each.path()).string();
      else if (each.is_regular_file())
        value = content(each.path());
      else
        value = "/";
    }
    return all;
  }

  static std::string content(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream{file}.rdbuf();
    return text.str();
  }

  /// Refused by both ways of reading, with that reason, and nothing is left.
  void refused(std::string_view zip, std::string_view reason) {
    const auto before = found();
    const auto error = unpack(zip, bundle);
    CAF_CHECK(code_of(error) == errc::invalid_argument);
    CAF_MESSAGE(what_of(error));
    CAF_CHECK(what_of(error).find(reason) != std::string::npos);
    CAF_CHECK(found() == before);
    const auto listed = list(zip);
    CAF_CHECK(!listed && what_of(listed.error()) == what_of(error));
  }

  void refused_name(const std::string& name, std::string_view reason) {
    refused(zip_maker{}.file("f.py").file(name).make(), reason);
  }

  fs::path scratch;
  fs::path bundle;
};

/// A run of zero bytes as zlib packs it, to a thousandth: a gzip stream without its frame.
inline raw_entry packed_zeros(size_t bytes, std::string name) {
  const std::string zeros(bytes, '\0');
  std::string gzip;
  auto* to = archive_write_new();
  archive_write_set_format_raw(to);
  archive_write_add_filter_gzip(to);
  archive_write_set_bytes_in_last_block(to, 1);
  archive_write_open(
    to, &gzip, nullptr,
    [](archive*, void* target, const void* data, size_t size) {
      static_cast<std::string*>(target)->append(static_cast<const char*>(data), size);
      return static_cast<la_ssize_t>(size);
    },
    nullptr);
  auto* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(to, entry);
  archive_write_data(to, zeros.data(), zeros.size());
  archive_entry_free(entry);
  archive_write_free(to);
  CAF_REQUIRE_GREATER(gzip.size(), 18u);
  raw_entry result{std::move(name), gzip.substr(10, gzip.size() - 18)};
  result.method = 8;
  result.unpacked_bytes = static_cast<int64_t>(bytes);
  result.checksum = crc32_of(zeros);
  return result;
}

} // namespace troupe::handlers::testing
