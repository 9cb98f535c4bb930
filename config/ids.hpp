#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

/// A UUID of version 7 (RFC 9562): 48 bits of Unix time in ms, then random bits, so that ids sort by time. Ids of
/// invocations and revisions; they are unique, not secret.
struct uuid {
  std::array<uint8_t, 16> bytes{};

  /// A new one, at the present time. Callable from every thread; never blocks after a thread's first call.
  static uuid make();

  /// The 36 characters with hyphens that `to_string` gives; anything else is nullopt.
  static std::optional<uuid> parse(std::string_view text);

  /// The smallest id of that millisecond: where a range over time begins.
  static uuid floor_of(std::chrono::milliseconds since_epoch);

  std::chrono::milliseconds time() const noexcept;
  std::string to_string() const;
  bool is_nil() const noexcept { return *this == uuid{}; }

  auto operator<=>(const uuid&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, uuid& x) {
    return f(x.bytes);
  }
};

/// A SHA-256 digest: the address of a bundle.
struct digest {
  std::array<uint8_t, 32> bytes{};

  static digest of(std::span<const uint8_t> data);
  static digest of(std::string_view data);

  /// 64 hexadecimal digits; anything else is nullopt.
  static std::optional<digest> parse(std::string_view hex);

  std::string hex() const;
  std::string base64() const; ///< as AWS writes CodeSha256

  auto operator<=>(const digest&) const = default;

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, digest& x) {
    return f(x.bytes);
  }
};

/// Standard base64 with padding (RFC 4648).
std::string base64_encode(std::string_view data);

/// The bytes, or nullopt when `text` is not base64. White space is not accepted.
std::optional<std::string> base64_decode(std::string_view text);

} // namespace troupe

template <>
struct std::hash<troupe::uuid> {
  size_t operator()(const troupe::uuid& id) const noexcept {
    uint64_t low = 0;
    for (size_t i = 8; i < 16; ++i)
      low = low << 8 | id.bytes[i];
    return low;
  }
};

template <>
struct std::hash<troupe::digest> {
  size_t operator()(const troupe::digest& id) const noexcept {
    uint64_t low = 0;
    for (size_t i = 0; i < 8; ++i)
      low = low << 8 | id.bytes[i];
    return low;
  }
};
