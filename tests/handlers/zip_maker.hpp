#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Makes zip archives by hand, to say in them what no decent program would say.
namespace troupe::handlers::testing {

struct raw_entry {
  std::string name;
  std::string data;        ///< stored, unless `method` says that it is packed already
  uint32_t mode = 0100644; ///< of Unix, with its type
  uint8_t host = 3;        ///< the system that wrote it: Unix
  uint16_t flags = 0;
  uint16_t method = 0;
  uint32_t dos_attributes = 0;
  int64_t unpacked_bytes = -1; ///< declared; -1: the data's
  int64_t packed_bytes = -1;   ///< declared; -1: the data's
  int64_t checksum = -1;       ///< -1: the data's
  std::string local_name;      ///< before the data, when it differs
  std::string local_extra;
  std::string descriptor; ///< behind the data
  int64_t offset = -1;    ///< in the directory; -1: where it is

  raw_entry() = default;
  raw_entry(std::string its_name, std::string its_data) : name{std::move(its_name)}, data{std::move(its_data)} {}
};

inline uint32_t crc32_of(std::string_view data) {
  uint32_t crc = ~0u;
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit)
      crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  return ~crc;
}

class zip_maker {
public:
  std::string before_entries;
  std::string before_directory;
  std::string behind_directory;
  std::string comment;
  int count_error = 0; ///< added to the number of entries

  zip_maker& add(raw_entry entry) {
    entries_.push_back(std::move(entry));
    return *this;
  }
  zip_maker& file(std::string name, std::string data = "x") { return add({std::move(name), std::move(data)}); }
  zip_maker& link(std::string name, std::string target) {
    raw_entry entry{std::move(name), std::move(target)};
    entry.mode = 0120777;
    return add(std::move(entry));
  }

  std::string make() const {
    std::string zip = before_entries;
    std::string directory;
    for (const auto& entry : entries_)
      write(entry, zip, directory);
    zip += before_directory;
    const auto offset = zip.size();
    zip += directory + behind_directory + "PK\5\6";
    put(zip, 0, 4);
    put(zip, entries_.size() + static_cast<size_t>(count_error), 2);
    put(zip, entries_.size() + static_cast<size_t>(count_error), 2);
    put(zip, directory.size(), 4);
    put(zip, offset, 4);
    put(zip, comment.size(), 2);
    return zip + comment;
  }

private:
  static void put(std::string& out, uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i)
      out += static_cast<char>(number >> (8 * i));
  }

  static uint64_t either(int64_t given, uint64_t real) { return given < 0 ? real : static_cast<uint64_t>(given); }

  /// What both headers have: flags, method, a time, checksum, sizes.
  static void common(std::string& out, const raw_entry& entry) {
    put(out, entry.flags, 2);
    put(out, entry.method, 2);
    put(out, 0x6000, 2); // 12:00
    put(out, 0x5821, 2); // 2024-01-01
    put(out, either(entry.checksum, crc32_of(entry.data)), 4);
    put(out, either(entry.packed_bytes, entry.data.size()), 4);
    put(out, either(entry.unpacked_bytes, entry.data.size()), 4);
  }

  static void write(const raw_entry& entry, std::string& zip, std::string& directory) {
    const auto offset = either(entry.offset, zip.size());
    const auto& local_name = entry.local_name.empty() ? entry.name : entry.local_name;
    zip += "PK\3\4";
    put(zip, 20, 2);
    common(zip, entry);
    put(zip, local_name.size(), 2);
    put(zip, entry.local_extra.size(), 2);
    zip += local_name + entry.local_extra + entry.data + entry.descriptor;

    directory += "PK\1\2";
    put(directory, 20, 1);
    put(directory, entry.host, 1);
    put(directory, 20, 2);
    common(directory, entry);
    put(directory, entry.name.size(), 2);
    put(directory, 0, 8); // no extra field, no comment, first part, no internal attributes
    put(directory, entry.host == 3 ? uint64_t{entry.mode} << 16 : entry.dos_attributes, 4);
    put(directory, offset, 4);
    directory += entry.name;
  }

  std::vector<raw_entry> entries_;
};

} // namespace troupe::handlers::testing
