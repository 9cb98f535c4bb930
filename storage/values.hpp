#pragma once

#include "storage/records.hpp"

#include <caf/expected.hpp>

#include <string>
#include <string_view>

/// The bytes of the values (storage/README.md). What stands in the key (tenant, name, id) does not stand again in
/// the value. Decoding accepts any bytes: those that are damaged, or of a later format, are storage_damaged.
namespace troupe::storage {

/// Both replace `out`, whose memory is kept: the second is called for every invocation.
void encode(std::string& out, const function_version& function);
void encode(std::string& out, const usage_record& record);

/// Fields that are unknown here are skipped; those that are missing keep their defaults.
caf::expected<function_version> decode_function(std::string_view key, std::string_view value);
caf::expected<usage_record> decode_record(std::string_view key, std::string_view value);

/// Sums are a version byte and little-endian numbers instead of a map, since they are added up in the database.
void encode(std::string& out, const usage_totals& totals);
caf::expected<usage_totals> decode_totals(std::string_view value);

/// Adds `operand` to `sum`, both encoded totals; an empty `sum` is zero. Numbers of a later format, behind the ones
/// that are known here, are added as well. Returns false, with `sum` unchanged, when either is damaged.
bool add_encoded_totals(std::string& sum, std::string_view operand);

} // namespace troupe::storage
