#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace troupe::wire {

/// Reads the few msgpack forms that headers are made of. By hand, since msgpack-c's own parser allocates and throws,
/// and this runs twice an invocation on bytes that a hostile process may have written. Views point into the bytes.
class msgpack_reader {
public:
  explicit msgpack_reader(std::string_view bytes) noexcept : left_{bytes} {}

  /// The number of elements of an array that starts here.
  std::optional<uint64_t> array() noexcept {
    const auto tag = byte();
    if (!tag)
      return std::nullopt;
    if ((*tag & 0xf0) == 0x90)
      return *tag & 0x0f;
    if (*tag == 0xdc)
      return big_endian(2);
    if (*tag == 0xdd)
      return big_endian(4);
    return std::nullopt;
  }

  std::optional<int64_t> integer() noexcept {
    const auto tag = byte();
    if (!tag)
      return std::nullopt;
    if (*tag < 0x80 || *tag >= 0xe0)
      return static_cast<int8_t>(*tag);
    if (*tag >= 0xcc && *tag <= 0xcf)
      return unsigned_of(size_t{1} << (*tag - 0xcc));
    if (*tag >= 0xd0 && *tag <= 0xd3)
      return signed_of(size_t{1} << (*tag - 0xd0));
    return std::nullopt;
  }

  std::optional<std::string_view> text() noexcept {
    const auto tag = byte();
    if (!tag)
      return std::nullopt;
    std::optional<uint64_t> size;
    if ((*tag & 0xe0) == 0xa0)
      size = *tag & 0x1f;
    else if (*tag >= 0xd9 && *tag <= 0xdb)
      size = big_endian(size_t{1} << (*tag - 0xd9));
    if (!size || *size > left_.size())
      return std::nullopt;
    const auto result = left_.substr(0, *size);
    left_.remove_prefix(*size);
    return result;
  }

  bool at_end() const noexcept { return left_.empty(); }

private:
  std::optional<uint8_t> byte() noexcept {
    if (left_.empty())
      return std::nullopt;
    const auto result = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return result;
  }

  std::optional<uint64_t> big_endian(size_t width) noexcept {
    if (left_.size() < width)
      return std::nullopt;
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i)
      value = value << 8 | static_cast<uint8_t>(left_[i]);
    left_.remove_prefix(width);
    return value;
  }

  std::optional<int64_t> unsigned_of(size_t width) noexcept {
    const auto value = big_endian(width);
    if (!value || *value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return std::nullopt;
    return static_cast<int64_t>(*value);
  }

  std::optional<int64_t> signed_of(size_t width) noexcept {
    const auto value = big_endian(width);
    if (!value)
      return std::nullopt;
    const auto unused_bits = 64 - 8 * width;
    return static_cast<int64_t>(*value << unused_bits) >> unused_bits;
  }

  std::string_view left_;
};

} // namespace troupe::wire
