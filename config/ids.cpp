#include "config/ids.hpp"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace troupe {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

/// xoshiro256** (Blackman, Vigna 2018), seeded by the kernel: fast, and good enough for ids that are not secret.
class random_bits {
public:
  random_bits() {
    if (getrandom(state_, sizeof state_, 0) != sizeof state_)
      std::abort(); // Cannot happen for so few bytes (getrandom(2)).
  }

  uint64_t next() noexcept {
    const auto rotate = [](uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

private:
  uint64_t state_[4];
};

void put_time(std::array<uint8_t, 16>& bytes, uint64_t ms) noexcept {
  for (int i = 0; i < 6; ++i)
    bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(ms >> (40 - 8 * i));
}

int nibble(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

uuid uuid::make() {
  thread_local random_bits random;
  uuid id;
  const uint64_t low = random.next();
  const uint64_t high = random.next();
  std::memcpy(id.bytes.data(), &high, 8);
  std::memcpy(id.bytes.data() + 8, &low, 8);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  put_time(id.bytes, static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x70);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::optional<uuid> uuid::parse(std::string_view text) {
  if (text.size() != 36)
    return std::nullopt;
  uuid id;
  size_t at = 0;
  for (auto& byte : id.bytes) {
    if (at == 8 || at == 13 || at == 18 || at == 23) {
      if (text[at] != '-')
        return std::nullopt;
      ++at;
    }
    const int high = nibble(text[at]);
    const int low = nibble(text[at + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    byte = static_cast<uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

uuid uuid::floor_of(std::chrono::milliseconds since_epoch) {
  uuid id;
  put_time(id.bytes, static_cast<uint64_t>(std::max<int64_t>(0, since_epoch.count())));
  return id;
}

std::chrono::milliseconds uuid::time() const noexcept {
  uint64_t ms = 0;
  for (size_t i = 0; i < 6; ++i)
    ms = ms << 8 | bytes[i];
  return std::chrono::milliseconds{ms};
}

std::string uuid::to_string() const {
  std::string text(36, '-');
  size_t at = 0;
  for (const uint8_t byte : bytes) {
    if (at == 8 || at == 13 || at == 18 || at == 23)
      ++at;
    text[at++] = hex_digits[byte >> 4];
    text[at++] = hex_digits[byte & 15];
  }
  return text;
}

digest digest::of(std::span<const uint8_t> data) {
  digest result;
  unsigned size = 0;
  if (EVP_Digest(data.data(), data.size(), result.bytes.data(), &size, EVP_sha256(), nullptr) != 1)
    std::abort(); // Only without memory.
  return result;
}

digest digest::of(std::string_view data) {
  return of(std::span{reinterpret_cast<const uint8_t*>(data.data()), data.size()});
}

std::optional<digest> digest::parse(std::string_view hex) {
  if (hex.size() != 64)
    return std::nullopt;
  digest result;
  for (size_t i = 0; i < 32; ++i) {
    const int high = nibble(hex[2 * i]);
    const int low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return std::nullopt;
    result.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return result;
}

std::string digest::hex() const {
  std::string text;
  text.reserve(64);
  for (const uint8_t byte : bytes) {
    text.push_back(hex_digits[byte >> 4]);
    text.push_back(hex_digits[byte & 15]);
  }
  return text;
}

std::string digest::base64() const {
  return base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string base64_encode(std::string_view data) {
  std::string text(4 * ((data.size() + 2) / 3), '\0');
  // EVP_EncodeBlock ends what it writes with a zero byte, which lands on the string's own.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(data.data()),
                  static_cast<int>(data.size()));
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0)
    return std::nullopt;
  if (text.empty())
    return std::string{};
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  if (!std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding), is_digit))
    return std::nullopt;
  std::string data(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(data.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()))
      < 0)
    return std::nullopt;
  data.resize(data.size() - padding);
  return data;
}

} // namespace troupe
