#define CAF_SUITE handlers.archive_refusals

#include "archive_fixture.hpp"

#include "config/limits.hpp"

#include <sys/stat.h>

#include <random>

#include <caf/test/dsl.hpp>

using namespace troupe;
using namespace troupe::handlers;
using namespace troupe::handlers::testing;

CAF_TEST_FIXTURE_SCOPE(archive_refusal_tests, archive_fixture)

CAF_TEST(names that must not be unpacked are refused) {
  refused_name("/etc/troupe", "an absolute path: /etc/troupe");
  refused_name("//etc/troupe", "an absolute path");
  refused_name("C:/troupe", "an absolute path");
  refused_name("../troupe", "a path with ..: ../troupe");
  refused_name("a/../troupe", "a path with ..");
  refused_name("a/b/../../../troupe", "a path with ..");
  refused_name("a/..", "a path with ..");
  refused_name("..", "a path with ..");
  refused_name("..\\troupe", "a name with a backslash");
  refused_name("a\\b", "a name with a backslash");
  refused_name(std::string("a\0b", 3), "a name with a zero byte: a?b");
  refused_name("\xff", "a name that is not UTF-8: ?");
  refused_name("\xc0\xaf", "a name that is not UTF-8");
  refused_name("\xed\xa0\x80", "a name that is not UTF-8");
  refused_name("a\xe2\x98", "a name that is not UTF-8");
  refused_name("", "an entry without a name");
  refused_name(".", "a file without a name");
  refused_name("././", "././ is a directory with content");
  refused(zip_maker{}.file("f.py").add({"../", ""}).make(), "a path with ..");
  refused_name(std::string(256, 'n'), "a name that is too long");
  refused_name(std::string(1025, 'n'), "a path that is too long");
  std::string deep;
  while (deep.size() <= limits::archive_path_bytes_max)
    deep += "d/";
  refused_name(deep + "f", "a path that is too long");
  refused_name("line\nbreak/../x", "a path with ..: line?break/../x");
}

CAF_TEST(links that lead out are refused) {
  const auto with_link = [](const std::string& name, const std::string& target) {
    return zip_maker{}.file("f.py").file("d1/d2/g.py").link(name, target).make();
  };
  refused(with_link("link", "/etc/passwd"), "a link without a proper target inside: link");
  refused(with_link("link", ".."), "a link that leads out: link");
  refused(with_link("link", "../f.py"), "a link that leads out");
  refused(with_link("link", "d1/../../x"), "a link that leads out");
  refused(with_link("d1/link", "../../x"), "a link that leads out: d1/link");
  refused(with_link("link", "no/../../x"), "a link that leads out");
  refused(with_link("link", "f.py/.."), "a link that leads out");
  refused(with_link("link", ""), "a link without a proper target");
  refused(with_link("link", std::string("f.py\0/../..", 11)), "a link without a proper target");
  refused(with_link("link", std::string(2000, 'x')), "a link without a proper target");
  refused(with_link("link", "link"), "a link in a circle");
  // Each of these alone stays inside; the second leads out through the first.
  refused(zip_maker{}.file("d1/d2/f.py").link("d1/d2/up", "../..").link("out", "d1/d2/up/..").make(),
          "a link that leads out: out");
  CAF_CHECK_EQUAL(
    unpack(zip_maker{}.file("d1/d2/f.py").link("d1/d2/up", "../..").link("in", "d1/d2/up/d1").make(), bundle),
    caf::none);
}

CAF_TEST(many long links through one another do not take long) {
  zip_maker zip;
  zip.file("d/f.py");
  std::string way;
  while (way.size() < 900)
    way += "d/../";
  for (int i = 0; i < 2000; ++i)
    zip.link("l" + std::to_string(i), way + (i % 30 == 29 ? "d" : "l" + std::to_string(i + 1)));
  refused(zip.make(), "links that take too many steps");
}

CAF_TEST(nothing is written through a link or over another entry) {
  refused(zip_maker{}.file("f.py").link("dir", "/tmp").file("dir/evil").make(),
          "an entry under a file or link: dir/evil");
  refused(zip_maker{}.file("f.py").file("real/x").link("dir", "real").file("dir/evil").make(),
          "an entry under a file or link");
  refused(zip_maker{}.file("dir/evil").link("dir", "/tmp").make(), "a file and a directory of one name: dir");
  refused(zip_maker{}.file("f.py").file("f.py").make(), "two entries of one name: f.py");
  refused(zip_maker{}.file("f.py").link("f.py", "g").make(), "two entries of one name");
  refused(zip_maker{}.file("f.py").file("./f.py").make(), "two entries of one name");
  refused(zip_maker{}.file("a").file("a/b").make(), "an entry under a file or link");
  refused(zip_maker{}.file("a/b").file("a").make(), "a file and a directory of one name");
  raw_entry directory{"a/", ""};
  directory.mode = 040755;
  refused(zip_maker{}.file("f").add(directory).add(directory).make(), "two entries of one name");
  CAF_CHECK_EQUAL(unpack(zip_maker{}.file("a/b").add(directory).make(), bundle), caf::none);
}

CAF_TEST(devices and pipes and sockets are refused) {
  for (const uint32_t type : {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK}) {
    raw_entry entry{"special", ""};
    entry.mode = type | 0666;
    refused(zip_maker{}.file("f.py").add(entry).make(), "special is a device, a pipe or a socket");
  }
}

CAF_TEST(what is no zip archive is refused) {
  refused("", "is not a zip archive");
  refused("this is not a zip archive", "is not a zip archive");
  refused("PK", "is cut off");
  refused(std::string(1000, '\0'), "is not a zip archive");
  refused("\x1f\x8b\x08", "is not a zip archive");
  refused(zip_maker{}.make(), "no files");
  raw_entry directory{"only/", ""};
  directory.mode = 040755;
  refused(zip_maker{}.add(directory).make(), "no files");
}

CAF_TEST(an archive that is cut anywhere is refused) {
  auto zip = zip_maker{}.file("f.py", "content").link("l", "f.py").make();
  for (size_t size = 0; size < zip.size(); ++size)
    CAF_CHECK(code_of(unpack(std::string_view{zip}.substr(0, size), bundle)) == errc::invalid_argument);
  CAF_CHECK(code_of(unpack(zip + "x", bundle)) == errc::invalid_argument);
  CAF_CHECK_EQUAL(found().size(), 1u);
  CAF_CHECK_EQUAL(unpack(zip, bundle), caf::none);
}

CAF_TEST(changed bytes are refused or change nothing but the content) {
  std::mt19937 random{11};
  const auto zip = *pack({{"f.py", "def f(event): pass\n", false}, {"g/h.txt", std::string(3000, 'h'), true}});
  for (int i = 0; i < 3000; ++i) {
    auto changed = zip;
    for (int j = 0; j < 2; ++j)
      changed[random() % changed.size()] = static_cast<char>(random());
    const auto files = list(changed);
    CAF_CHECK(files || code_of(files.error()) == errc::invalid_argument);
  }
}

CAF_TEST(two descriptions of one entry are refused) {
  const auto refused_entry = [this](const raw_entry& entry, std::string_view reason) {
    refused(zip_maker{}.file("f.py").add(entry).make(), reason);
  };
  raw_entry entry{"shown.py", "x"};
  entry.local_name = "other.py";
  refused_entry(entry, "shown.py is described in two ways");
  entry = {"g.py", "x"};
  entry.checksum = 1;
  refused_entry(entry, "is damaged");
  entry = {"g.py", "x"};
  entry.unpacked_bytes = 2;
  refused_entry(entry, "is described in two ways");
  entry = {"g.py", "x"};
  entry.packed_bytes = 1'000'000;
  entry.unpacked_bytes = 1'000'000;
  refused_entry(entry, "is described in two ways, or is damaged");
  entry = {"g.py", "x"};
  entry.offset = 0;
  refused_entry(entry, "is described in two ways");
  // An extra field of libarchive's own that makes a link of the file.
  entry = {"g.py", "/etc"};
  entry.local_extra = std::string("xl\x09\0\x0f\x14\x03\0\0\0\0\xff\xa1", 13);
  refused_entry(entry, "described in two ways");
  // A directory that says that it is a file with content.
  entry = {"g/", "x"};
  refused_entry(entry, "g/ is a directory with content");
}

CAF_TEST(bytes that belong to no entry are refused) {
  zip_maker zip;
  zip.file("f.py");
  zip.before_entries = "#!/bin/sh\nexit 0\n";
  refused(zip.make(), "bytes that belong to none");
  zip.before_entries = {};
  zip.before_directory = "hidden";
  refused(zip.make(), "bytes that belong to none");
  zip.before_directory = {};
  zip.behind_directory = "hidden";
  refused(zip.make(), "bytes that belong to none");
  zip.behind_directory = {};
  zip.comment = "PK\5\6";
  refused(zip.make(), "is damaged at its end");
  zip.comment = zip_maker{}.file("g.py").make();
  refused(zip.make(), "bytes that belong to none");
  zip.comment = std::string(60'000, 'c');
  refused(zip.make(), "has a comment that is too long");
  zip.comment = {};
  zip.count_error = 1;
  refused(zip.make(), "is damaged in its directory");
  zip.count_error = -1;
  refused(zip.make(), "is damaged in its directory");
  zip.count_error = 0;
  CAF_CHECK_EQUAL(unpack(zip.make(), bundle), caf::none);
}

CAF_TEST(one piece of data for many entries is refused) {
  // The overlapping bomb: a full entry, and more headers that point at it.
  zip_maker zip;
  zip.add(packed_zeros(900'000, "a"));
  for (int i = 0; i < 3; ++i) {
    auto entry = packed_zeros(900'000, "a");
    entry.offset = 0;
    zip.add(entry);
  }
  refused(zip.make(), "overlap");
}

CAF_TEST(other methods and forms are refused) {
  raw_entry entry{"secret", "x"};
  entry.flags = 1;
  refused(zip_maker{}.file("f.py").add(entry).make(), "secret is encrypted");
  entry.flags = 0x2041;
  refused(zip_maker{}.file("f.py").add(entry).make(), "secret is encrypted");
  entry.flags = 0;
  for (const uint16_t method : {1, 9, 12, 14, 93, 95, 99}) {
    entry.method = method;
    refused(zip_maker{}.file("f.py").add(entry).make(), "secret is packed by a method other than deflate");
  }
  entry.method = 0;
  entry.packed_bytes = entry.unpacked_bytes = 0xffffffff;
  refused(zip_maker{}.file("f.py").add(entry).make(), "secret is in zip64 form");
  auto zip = zip_maker{}.file("f.py").make();
  zip[zip.size() - 18] = 1; // the number of this part
  refused(zip, "is one of several parts");
  auto link = packed_zeros(10, "link");
  link.mode = 0120777;
  refused(zip_maker{}.file("f.py").add(link).make(), "a link that is compressed: link");
}

CAF_TEST(bombs are refused) {
  // Honest ones, by what they declare.
  refused(zip_maker{}.add(packed_zeros(3'000'000, "zeros")).make(), "unpacks to more than 200 times its size");
  zip_maker large;
  large.file("filler", std::string(2 * limits::mib, 'x'));
  for (int i = 0; i < 4; ++i) {
    auto entry = packed_zeros(1000, "zeros" + std::to_string(i));
    entry.unpacked_bytes = static_cast<int64_t>(100 * limits::mib);
    large.add(entry);
  }
  refused(large.make(), "is larger than 250 MiB unpacked");
  // One that declares less than comes out, and one that declares more.
  auto liar = packed_zeros(3'000'000, "zeros");
  liar.unpacked_bytes = 1000;
  refused(zip_maker{}.add(liar).make(), "zeros is larger than it says");
  liar = packed_zeros(1000, "zeros");
  liar.unpacked_bytes = 2000;
  refused(zip_maker{}.add(liar).make(), "is damaged");
  // A ratio that small things may have.
  CAF_CHECK_EQUAL(unpack(zip_maker{}.add(packed_zeros(900'000, "zeros")).make(), bundle), caf::none);
  CAF_CHECK_EQUAL(content(bundle / "zeros"), std::string(900'000, '\0'));
}

CAF_TEST(too many entries or directories are refused) {
  zip_maker many;
  for (size_t i = 0; i <= limits::archive_entries_max; ++i)
    many.file("e/" + std::to_string(i), "");
  refused(many.make(), "more than 20000");
  // Few entries that mean many directories.
  zip_maker deep;
  for (int i = 0; i < 50; ++i) {
    std::string path = std::to_string(i);
    while (path.size() < 1000)
      path += "/d";
    deep.file(path);
  }
  refused(deep.make(), "more than 20000");
  zip_maker too_large;
  too_large.file("f", std::string(limits::archive_bytes_max, 'x'));
  refused(too_large.make(), "is larger than 50 MiB");
}

CAF_TEST_FIXTURE_SCOPE_END()
