#include "storage/keys.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr char separator = '\0';
constexpr size_t id_bytes = sizeof(uuid::bytes);
constexpr size_t hour_bytes = 8;

/// Turns the order of signed numbers into that of unsigned ones.
constexpr uint64_t sign_bit = uint64_t{1} << 63;

/// Cuts the part before the first separator off `key`; nullopt when there is none.
std::optional<std::string_view> take_name(std::string_view& key) noexcept {
  const size_t end = key.find(separator);
  if (end == std::string_view::npos)
    return std::nullopt;
  const auto name = key.substr(0, end);
  key.remove_prefix(end + 1);
  return name;
}

} // namespace

bool fits_key(std::string_view name) noexcept {
  return name.find(separator) == std::string_view::npos;
}

std::string function_key(std::string_view tenant, std::string_view name) {
  std::string key = key_prefix(tenant);
  key += name;
  return key;
}

std::optional<function_key_parts> parse_function_key(std::string_view key) noexcept {
  const auto tenant = take_name(key);
  if (!tenant || !fits_key(key))
    return std::nullopt;
  return function_key_parts{*tenant, key};
}

std::string_view bundle_key(const digest& id) noexcept {
  return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

void make_invocation_key(std::string& out, std::string_view tenant, const uuid& id) {
  out.assign(tenant);
  out += separator;
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

std::optional<invocation_key_parts> parse_invocation_key(std::string_view key) noexcept {
  const auto tenant = take_name(key);
  if (!tenant || key.size() != id_bytes)
    return std::nullopt;
  invocation_key_parts parts{*tenant, {}};
  std::copy(key.begin(), key.end(), parts.id.bytes.begin());
  return parts;
}

void make_usage_key(std::string& out, std::string_view tenant, std::string_view function, int64_t hour) {
  out.assign(tenant);
  out += separator;
  out += function;
  out += separator;
  const uint64_t sorted = static_cast<uint64_t>(hour) ^ sign_bit;
  for (int shift = 56; shift >= 0; shift -= 8)
    out += static_cast<char>(sorted >> shift);
}

std::optional<usage_key_parts> parse_usage_key(std::string_view key) noexcept {
  const auto tenant = take_name(key);
  if (!tenant)
    return std::nullopt;
  const auto function = take_name(key);
  if (!function || key.size() != hour_bytes)
    return std::nullopt;
  uint64_t sorted = 0;
  for (const char c : key)
    sorted = sorted << 8 | static_cast<uint8_t>(c);
  return usage_key_parts{*tenant, *function, static_cast<int64_t>(sorted ^ sign_bit)};
}

std::string key_prefix(std::string_view name) {
  std::string prefix{name};
  prefix += separator;
  return prefix;
}

std::string behind_prefix(std::string prefix) {
  prefix.back() = separator + 1;
  return prefix;
}

} // namespace troupe::storage
