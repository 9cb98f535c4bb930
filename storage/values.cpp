#include "storage/values.hpp"

#include "config/errc.hpp"
#include "storage/field_reader.hpp"
#include "storage/fields.hpp"
#include "storage/keys.hpp"

#include <array>

namespace troupe::storage {

namespace {

/// The version that the values of this program carry. It grows only when a reader that does not know the change
/// would misread the rest; a new field alone is not such a change.
constexpr uint64_t format = 1;

/// What msgpack::packer writes to.
struct string_sink {
  std::string& bytes;
  void write(const char* data, size_t size) { bytes.append(data, size); }
};

using packer = msgpack::packer<string_sink>;

void pack(packer& to, std::string_view text) {
  to.pack_str(static_cast<uint32_t>(text.size()));
  to.pack_str_body(text.data(), static_cast<uint32_t>(text.size()));
}

void pack(packer& to, const std::string& text) {
  pack(to, std::string_view{text});
}

void pack(packer& to, uint32_t number) {
  to.pack_uint32(number);
}

void pack(packer& to, uint64_t number) {
  to.pack_uint64(number);
}

void pack(packer& to, int64_t number) {
  to.pack_int64(number);
}

void pack(packer& to, invocation_status status) {
  to.pack_uint8(static_cast<uint8_t>(status));
}

void pack(packer& to, bool flag) {
  to.pack_uint8(flag ? 1 : 0);
}

void pack(packer& to, network_access network) {
  to.pack_uint8(static_cast<uint8_t>(network));
}

void pack(packer& to, trigger_kind trigger) {
  to.pack_uint8(static_cast<uint8_t>(trigger));
}

template <size_t Size>
void pack_bytes(packer& to, const std::array<uint8_t, Size>& bytes) {
  to.pack_bin(Size);
  to.pack_bin_body(reinterpret_cast<const char*>(bytes.data()), Size);
}

void pack(packer& to, const uuid& id) {
  pack_bytes(to, id.bytes);
}

void pack(packer& to, const digest& id) {
  pack_bytes(to, id.bytes);
}

void pack(packer& to, const text_map& pairs) {
  to.pack_map(static_cast<uint32_t>(pairs.size()));
  for (const auto& [name, text] : pairs) {
    pack(to, name);
    pack(to, text);
  }
}

template <class Record, class Fields>
void encode_fields(std::string& out, const Record& record, Fields fields) {
  out.clear();
  uint32_t count = 1;
  fields([&count](std::string_view, const auto&) { ++count; }, record);
  string_sink sink{out};
  packer to{sink};
  to.pack_map(count);
  pack(to, std::string_view{"v"});
  pack(to, format);
  fields(
    [&to](std::string_view key, const auto& member) {
      pack(to, key);
      pack(to, member);
    },
    record);
}

caf::error damaged(std::string what) {
  return make_error(errc::storage_damaged, "the database is damaged: " + std::move(what));
}

caf::error later_format(const std::string& what) {
  return make_error(errc::storage_damaged, what + " was written by a later version of this program");
}

/// msgpack-c reports damage by the result, and one kind of it (an extension of 4 GiB) by an exception.
template <class Visitor>
bool parse_whole(std::string_view bytes, Visitor& visitor) {
  try {
    size_t offset = 0;
    return msgpack::parse(bytes.data(), bytes.size(), offset, visitor) && offset == bytes.size();
  } catch (const msgpack::unpack_error&) {
    return false;
  }
}

template <class Record, class Fields>
caf::error decode_fields(std::string_view bytes, Record& record, Fields fields, const std::string& what) {
  field_reader<Record, Fields> reader{record, fields};
  const bool whole = parse_whole(bytes, reader);
  if (reader.version() > format) // Asked first: what follows may well look like damage.
    return later_format(what);
  if (!whole || reader.version() == 0)
    return damaged(what + " cannot be read");
  return caf::none;
}

// Fields are templates; a value that can be passed on is a lambda.
constexpr auto fields_of_function = [](auto&& field, auto& x) { function_fields(field, x); };
constexpr auto fields_of_record = [](auto&& field, auto& x) { record_fields(field, x); };

} // namespace

void encode(std::string& out, const function_version& function) {
  encode_fields(out, function, fields_of_function);
}

void encode(std::string& out, const usage_record& record) {
  encode_fields(out, record, fields_of_record);
}

caf::expected<function_version> decode_function(std::string_view key, std::string_view value) {
  const auto parts = parse_function_key(key);
  if (!parts)
    return damaged("a function's key cannot be read");
  function_version function;
  function.config.tenant = parts->tenant;
  function.config.name = parts->name;
  if (auto err = decode_fields(value, function, fields_of_function, "function " + function.config.name))
    return err;
  return function;
}

caf::expected<usage_record> decode_record(std::string_view key, std::string_view value) {
  const auto parts = parse_invocation_key(key);
  if (!parts)
    return damaged("an invocation's key cannot be read");
  usage_record record;
  record.tenant = parts->tenant;
  record.id = parts->id;
  if (auto err = decode_fields(value, record, fields_of_record, "invocation " + record.id.to_string()))
    return err;
  return record;
}

} // namespace troupe::storage
