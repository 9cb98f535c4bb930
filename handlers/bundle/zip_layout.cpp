#include "handlers/bundle/zip_layout.hpp"

#include "handlers/bundle/entry_name.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string>

namespace troupe::handlers {

namespace {

constexpr std::string_view end_signature = "PK\x05\x06";
constexpr std::string_view central_signature = "PK\x01\x02";
constexpr std::string_view local_signature = "PK\x03\x04";
constexpr size_t end_bytes = 22;
constexpr size_t central_bytes = 46;
constexpr size_t local_bytes = 30;
constexpr size_t comment_bytes_max = 65'535;
constexpr size_t comment_bytes_taken = 8192; ///< libarchive looks for the end in the last 16 KiB
constexpr size_t descriptor_bytes_max = 24;  ///< with signature and sizes of 8 bytes
constexpr uint32_t elsewhere = 0xffffffff;   ///< the number stands in a zip64 field

constexpr uint16_t flag_encrypted = 1 << 0;
constexpr uint16_t flag_descriptor = 1 << 3; ///< sizes and checksum follow the data
constexpr uint16_t flag_strong_encryption = 1 << 6;
constexpr uint16_t flag_masked = 1 << 13;
constexpr uint16_t flags_encryption = flag_encrypted | flag_strong_encryption | flag_masked;

constexpr uint16_t method_store = 0;
constexpr uint16_t method_deflate = 8;
constexpr uint8_t host_dos = 0;
constexpr uint8_t host_unix = 3;
constexpr uint32_t dos_directory = 0x10;

uint16_t u16(std::string_view bytes, size_t at) noexcept {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) | static_cast<uint8_t>(bytes[at + 1]) << 8);
}

uint32_t u32(std::string_view bytes, size_t at) noexcept {
  return u16(bytes, at) | static_cast<uint32_t>(u16(bytes, at + 2)) << 16;
}

caf::error refuse(std::string why) {
  return make_error(errc::invalid_argument, "the archive " + std::move(why));
}

/// Where the central directory lies.
struct directory_place {
  size_t offset = 0;
  size_t bytes = 0;
  size_t entries = 0;
};

caf::expected<directory_place> find_directory(std::string_view zip) {
  const size_t tail = std::min(zip.size(), end_bytes + comment_bytes_max);
  const size_t at = zip.substr(zip.size() - tail).rfind(end_signature);
  if (at == std::string_view::npos)
    return refuse(zip.starts_with("PK") ? "is cut off" : "is not a zip archive");
  const auto end = zip.substr(zip.size() - tail + at);
  if (end.size() < end_bytes || end.size() != end_bytes + u16(end, 20))
    return refuse("is damaged at its end");
  if (end.size() > end_bytes + comment_bytes_taken)
    return refuse("has a comment that is too long");
  const size_t end_offset = zip.size() - end.size();
  if (u16(end, 4) != 0 || u16(end, 6) != 0 || u16(end, 8) != u16(end, 10))
    return refuse("is one of several parts");
  const directory_place place{u32(end, 16), u32(end, 12), u16(end, 10)};
  if (place.entries > limits::archive_entries_max)
    return refuse("has more than " + std::to_string(limits::archive_entries_max) + " entries");
  if (place.offset == elsewhere || place.bytes == elsewhere)
    return refuse("is in zip64 form, for which it is too small");
  if (place.offset + place.bytes != end_offset)
    return refuse("has bytes that belong to none of its entries, or is damaged");
  return place;
}

/// What a header of the central directory says.
struct central_header {
  std::string_view name;
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t checksum = 0;
  uint32_t packed_bytes = 0;
  uint32_t unpacked_bytes = 0;
  uint32_t attributes = 0;
  uint32_t offset = 0;
  uint8_t host = 0;
  size_t bytes = 0; ///< of the header
};

std::optional<central_header> parse_central(std::string_view bytes) {
  if (bytes.size() < central_bytes || !bytes.starts_with(central_signature))
    return std::nullopt;
  central_header header;
  header.host = static_cast<uint8_t>(bytes[5]);
  header.flags = u16(bytes, 8);
  header.method = u16(bytes, 10);
  header.checksum = u32(bytes, 16);
  header.packed_bytes = u32(bytes, 20);
  header.unpacked_bytes = u32(bytes, 24);
  header.attributes = u32(bytes, 38);
  header.offset = u32(bytes, 42);
  const size_t name_bytes = u16(bytes, 28);
  header.bytes = central_bytes + name_bytes + u16(bytes, 30) + u16(bytes, 32);
  if (bytes.size() < header.bytes || u16(bytes, 34) != 0)
    return std::nullopt;
  header.name = bytes.substr(central_bytes, name_bytes);
  return header;
}

/// Whether a number before the data agrees with the directory's: there it may also follow the data, or stand in a
/// zip64 field, which libarchive compares.
bool agrees(uint32_t local, uint32_t central, uint16_t flags) noexcept {
  return local == central || local == elsewhere || (local == 0 && (flags & flag_descriptor));
}

/// The data of the entry, if the header before them says what the directory says.
std::optional<std::string_view> data_of(std::string_view entries, const central_header& header) {
  if (header.offset > entries.size())
    return std::nullopt;
  const auto local = entries.substr(header.offset);
  if (local.size() < local_bytes || !local.starts_with(local_signature))
    return std::nullopt;
  const size_t begin = local_bytes + u16(local, 26) + u16(local, 28);
  if (local.size() < begin || local.size() - begin < header.packed_bytes)
    return std::nullopt;
  const bool same = u16(local, 6) == header.flags && u16(local, 8) == header.method
                 && local.substr(local_bytes, u16(local, 26)) == header.name
                 && agrees(u32(local, 14), header.checksum, header.flags)
                 && agrees(u32(local, 18), header.packed_bytes, header.flags)
                 && agrees(u32(local, 22), header.unpacked_bytes, header.flags);
  if (!same)
    return std::nullopt;
  return local.substr(begin, header.packed_bytes);
}

/// The kind that the attributes mean on the system that wrote them; nullopt for devices, pipes and sockets.
std::optional<entry_kind> kind_of(const central_header& header) {
  const bool slash = header.name.ends_with('/');
  const auto plain = slash ? entry_kind::directory : entry_kind::file;
  if (header.host == host_dos)
    return header.attributes & dos_directory ? entry_kind::directory : plain;
  if (header.host != host_unix)
    return plain;
  switch ((header.attributes >> 16) & S_IFMT) {
    case 0:
    case S_IFREG: return plain;
    case S_IFDIR: return entry_kind::directory;
    case S_IFLNK: return slash ? plain : entry_kind::link;
    default: return std::nullopt;
  }
}

caf::expected<zip_entry> check_entry(std::string_view entries, const central_header& header) {
  const auto refuse_entry = [&header](const std::string& why) {
    return refuse("cannot be used: " + printable(header.name) + " " + why);
  };
  if (header.flags & flags_encryption)
    return refuse_entry("is encrypted");
  if (header.method != method_store && header.method != method_deflate)
    return refuse_entry("is packed by a method other than deflate");
  if (header.packed_bytes == elsewhere || header.unpacked_bytes == elsewhere || header.offset == elsewhere)
    return refuse_entry("is in zip64 form, for which it is too small");
  const auto kind = kind_of(header);
  if (!kind)
    return refuse_entry("is a device, a pipe or a socket");
  const auto data = data_of(entries, header);
  if (!data || (header.method == method_store && header.packed_bytes != header.unpacked_bytes))
    return refuse_entry("is described in two ways, or is damaged");
  if (*kind == entry_kind::directory && header.unpacked_bytes > 0)
    return refuse_entry("is a directory with content");
  zip_entry entry;
  entry.name = header.name;
  entry.data = *data;
  entry.unpacked_bytes = header.unpacked_bytes;
  entry.offset = header.offset;
  entry.kind = *kind;
  entry.executable = header.host == host_unix && ((header.attributes >> 16) & 0111);
  entry.compressed = header.method != method_store;
  return entry;
}

/// That the entries fill the space before the directory: no byte in two of them, and between them nothing but the
/// descriptors that may follow the data.
bool fill_space(std::string_view entries, const std::vector<zip_entry>& sorted) {
  size_t end = 0;
  size_t slack = 0;
  for (const auto& entry : sorted) {
    if (entry.offset < end || entry.offset > end + slack)
      return false;
    end = static_cast<size_t>(entry.data.data() - entries.data()) + entry.data.size();
    slack = u16(entries, entry.offset + 6) & flag_descriptor ? descriptor_bytes_max : 0;
  }
  return entries.size() >= end && entries.size() <= end + slack;
}

} // namespace

caf::expected<std::vector<zip_entry>> read_layout(std::string_view zip) {
  const auto place = find_directory(zip);
  if (!place)
    return place.error();
  const auto entries = zip.substr(0, place->offset);
  auto directory = zip.substr(place->offset, place->bytes);
  std::vector<zip_entry> found;
  for (size_t i = 0; i < place->entries; ++i) {
    const auto header = parse_central(directory);
    if (!header)
      return refuse("is damaged in its directory");
    directory.remove_prefix(header->bytes);
    auto entry = check_entry(entries, *header);
    if (!entry)
      return entry.error();
    found.push_back(*entry);
  }
  if (!directory.empty())
    return refuse("is damaged in its directory");
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  if (!fill_space(entries, found))
    return refuse("has entries that overlap, or bytes that belong to none of them");
  return found;
}

} // namespace troupe::handlers
