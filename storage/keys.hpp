#pragma once

#include "config/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The bytes of the keys (storage/README.md). Parts that are names end in a zero byte, which no name holds; numbers
/// are big-endian: so keys sort by tenant, then by function or time, which is the order in which they are read.
/// The views in what is parsed point into the key.
namespace troupe::storage {

/// Whether `name` can be a part of a key: it holds no zero byte.
bool fits_key(std::string_view name) noexcept;

/// functions: tenant 0x00 name
std::string function_key(std::string_view tenant, std::string_view name);

struct function_key_parts {
  std::string_view tenant;
  std::string_view name;
};

std::optional<function_key_parts> parse_function_key(std::string_view key) noexcept;

/// bundles: the digest. The view points into `id`.
std::string_view bundle_key(const digest& id) noexcept;

/// invocations: tenant 0x00 id. Replaces `out`, whose memory is kept: this is called for every invocation.
void make_invocation_key(std::string& out, std::string_view tenant, const uuid& id);

struct invocation_key_parts {
  std::string_view tenant;
  uuid id;
};

std::optional<invocation_key_parts> parse_invocation_key(std::string_view key) noexcept;

/// usage: tenant 0x00 function 0x00 hour. Replaces `out`, whose memory is kept.
void make_usage_key(std::string& out, std::string_view tenant, std::string_view function, int64_t hour);

struct usage_key_parts {
  std::string_view tenant;
  std::string_view function;
  int64_t hour = 0; ///< since the epoch
};

std::optional<usage_key_parts> parse_usage_key(std::string_view key) noexcept;

/// What the keys of one tenant, or of one name under a prefix, begin with.
std::string key_prefix(std::string_view name);

/// The first key behind all keys that begin with `prefix`, which ends in the zero byte of key_prefix.
std::string behind_prefix(std::string prefix);

} // namespace troupe::storage
