#include "handlers/bundle/zip_reader.hpp"

#include "handlers/bundle/entry_name.hpp"
#include "handlers/bundle/utf8_locale.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

namespace troupe::handlers {

namespace {

struct free_archive {
  void operator()(archive* a) const noexcept { archive_read_free(a); }
};

using archive_ptr = std::unique_ptr<archive, free_archive>;

caf::error refuse(std::string why) {
  return make_error(errc::invalid_argument, "the archive " + std::move(why));
}

caf::error damaged(archive* a) {
  const char* reason = archive_error_string(a);
  return refuse(std::string{"is damaged: "} + (reason ? printable(reason) : "it ends too early"));
}

caf::error check_total(uint64_t unpacked_bytes, size_t packed_bytes) {
  if (unpacked_bytes > limits::unpacked_bytes_max)
    return refuse("is larger than " + std::to_string(limits::unpacked_bytes_max / limits::mib) + " MiB unpacked");
  if (unpacked_bytes > limits::mib && unpacked_bytes / limits::archive_ratio_max > packed_bytes)
    return refuse("unpacks to more than " + std::to_string(limits::archive_ratio_max) + " times its size");
  return caf::none;
}

/// What was declared: a first look, before any work is done.
caf::error check_declared(const std::vector<zip_entry>& layout, size_t packed_bytes) {
  uint64_t total = 0;
  for (const auto& entry : layout)
    total += entry.unpacked_bytes; // 20,000 of 4 GiB at most
  return check_total(total, packed_bytes);
}

/// Only the format that is wanted, and no filter around it.
archive_ptr open_zip(std::string_view zip) {
  archive_ptr a{archive_read_new()};
  if (!a || archive_read_support_format_zip_seekable(a.get()) != ARCHIVE_OK
      || archive_read_open_memory(a.get(), zip.data(), zip.size()) != ARCHIVE_OK)
    return nullptr;
  return a;
}

/// That libarchive takes the entry for what the layout says. Extra fields could tell it something else.
bool same_kind(archive_entry* read, const zip_entry& entry) {
  if (archive_entry_hardlink(read))
    return false;
  switch (entry.kind) {
    case entry_kind::file: return archive_entry_filetype(read) == AE_IFREG;
    case entry_kind::directory: return archive_entry_filetype(read) == AE_IFDIR;
    case entry_kind::link: return archive_entry_filetype(read) == AE_IFLNK;
  }
  return false;
}

/// Reads one file's content; `total` counts what came out of all.
caf::error read_content(archive* a, const zip_entry& entry, uint64_t& total, size_t packed_bytes, file_sink& sink) {
  uint64_t bytes = 0;
  for (;;) {
    const void* block = nullptr;
    size_t size = 0;
    int64_t offset = 0;
    const int result = archive_read_data_block(a, &block, &size, &offset);
    if (result == ARCHIVE_EOF)
      break;
    if (result != ARCHIVE_OK || offset != static_cast<int64_t>(bytes))
      return damaged(a);
    bytes += size;
    total += size;
    if (bytes > entry.unpacked_bytes)
      return refuse("is damaged: " + printable(entry.name) + " is larger than it says");
    if (auto err = check_total(total, packed_bytes))
      return err;
    if (auto err = sink.write({static_cast<const char*>(block), size}))
      return err;
  }
  if (bytes != entry.unpacked_bytes)
    return refuse("is damaged: " + printable(entry.name) + " is smaller than it says");
  return caf::none;
}

} // namespace

caf::error read_files(std::string_view zip, const std::vector<zip_entry>& layout, file_sink& sink) {
  if (auto err = check_declared(layout, zip.size()))
    return err;
  const utf8_locale names_are_utf8;
  const auto a = open_zip(zip);
  if (!a)
    return refuse("is not a zip archive");
  uint64_t total = 0;
  for (size_t i = 0; i < layout.size(); ++i) {
    archive_entry* read = nullptr;
    if (archive_read_next_header(a.get(), &read) != ARCHIVE_OK)
      return damaged(a.get());
    if (!same_kind(read, layout[i]))
      return refuse("cannot be used: " + printable(layout[i].name) + " is described in two ways");
    if (layout[i].kind != entry_kind::file)
      continue;
    if (auto err = sink.begin(i, archive_entry_mtime(read)))
      return err;
    if (auto err = read_content(a.get(), layout[i], total, zip.size(), sink))
      return err;
    if (auto err = sink.end())
      return err;
  }
  archive_entry* read = nullptr;
  if (archive_read_next_header(a.get(), &read) != ARCHIVE_EOF)
    return damaged(a.get());
  return caf::none;
}

} // namespace troupe::handlers
