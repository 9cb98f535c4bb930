// Packing, by libarchive's zip writer.
#include "handlers/bundle/archive.hpp"
#include "handlers/bundle/entry_name.hpp"
#include "handlers/bundle/utf8_locale.hpp"

#include "config/errc.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

namespace troupe::handlers {

namespace {

struct free_archive {
  void operator()(archive* a) const noexcept { archive_write_free(a); }
  void operator()(archive_entry* entry) const noexcept { archive_entry_free(entry); }
};

using archive_ptr = std::unique_ptr<archive, free_archive>;
using entry_ptr = std::unique_ptr<archive_entry, free_archive>;

caf::error failed(archive* a) {
  const char* reason = archive_error_string(a);
  return make_error(errc::internal, std::string{"packing an archive: "} + (reason ? reason : "unknown reason"));
}

la_ssize_t append(archive*, void* target, const void* bytes, size_t size) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

caf::error add(archive* to, const packed_file& file) {
  const entry_ptr entry{archive_entry_new()};
  archive_entry_copy_pathname(entry.get(), file.path.c_str());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), file.executable ? 0755 : 0644);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.bytes.size()));
  // No time: zip then has the first it knows, 1980, in every time zone.
  if (archive_write_header(to, entry.get()) != ARCHIVE_OK)
    return failed(to);
  if (archive_write_data(to, file.bytes.data(), file.bytes.size()) != static_cast<la_ssize_t>(file.bytes.size()))
    return failed(to);
  return caf::none;
}

} // namespace

caf::expected<std::string> pack(std::vector<packed_file> files) {
  for (const auto& file : files) // Before libarchive sees them: its writer loses memory when it refuses a name.
    if (auto parts = split_name(file.path); !parts)
      return parts.error();
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  const utf8_locale names_are_utf8;
  std::string zip;
  const archive_ptr to{archive_write_new()};
  if (archive_write_set_format_zip(to.get()) != ARCHIVE_OK
      || archive_write_set_bytes_in_last_block(to.get(), 1) != ARCHIVE_OK // No padding behind the end.
      || archive_write_open(to.get(), &zip, nullptr, append, nullptr) != ARCHIVE_OK)
    return failed(to.get());
  for (const auto& file : files)
    if (auto err = add(to.get(), file))
      return err;
  if (archive_write_close(to.get()) != ARCHIVE_OK)
    return failed(to.get());
  if (auto readable = list(zip); !readable) // Names and sizes that unpack would refuse.
    return readable.error();
  return zip;
}

} // namespace troupe::handlers
