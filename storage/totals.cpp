// Encoded totals: a version byte, then little-endian numbers of 8 bytes. New sums are added behind the old ones, so
// that a shorter value is an older one whose missing sums are zero.
#include "config/errc.hpp"
#include "storage/values.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace troupe::storage {

namespace {

constexpr char format = 1;
constexpr size_t number_bytes = 8;

/// The stored order of the sums. It never changes; new ones come at the end.
constexpr std::array members = {
  &usage_totals::invocations, &usage_totals::errors,       &usage_totals::throttled,
  &usage_totals::cold_starts, &usage_totals::run_ns,       &usage_totals::cpu_ns,
  &usage_totals::billed_ms,   &usage_totals::billed_mb_ms, &usage_totals::cost_pico,
};

uint64_t load(const char* at) noexcept {
  uint64_t number = 0;
  for (size_t i = number_bytes; i-- > 0;)
    number = number << 8 | static_cast<uint8_t>(at[i]);
  return number;
}

void store(char* at, uint64_t number) noexcept {
  for (size_t i = 0; i < number_bytes; ++i)
    at[i] = static_cast<char>(number >> (8 * i));
}

bool well_formed(std::string_view value) noexcept {
  return !value.empty() && value.front() == format && value.size() % number_bytes == 1;
}

} // namespace

void encode(std::string& out, const usage_totals& totals) {
  out.resize(1 + members.size() * number_bytes);
  out[0] = format;
  for (size_t i = 0; i < members.size(); ++i)
    store(&out[1 + i * number_bytes], totals.*members[i]);
}

caf::expected<usage_totals> decode_totals(std::string_view value) {
  if (!well_formed(value))
    return make_error(errc::storage_damaged, "the database is damaged: the sums of an hour cannot be read");
  usage_totals totals;
  const size_t count = std::min(members.size(), (value.size() - 1) / number_bytes);
  for (size_t i = 0; i < count; ++i)
    totals.*members[i] = load(&value[1 + i * number_bytes]);
  return totals;
}

bool add_encoded_totals(std::string& sum, std::string_view operand) {
  if (!well_formed(operand) || (!sum.empty() && !well_formed(sum)))
    return false;
  if (sum.empty())
    sum.push_back(format);
  if (sum.size() < operand.size())
    sum.resize(operand.size(), '\0');
  for (size_t at = 1; at < operand.size(); at += number_bytes) {
    uint64_t number = 0;
    if (__builtin_add_overflow(load(&sum[at]), load(&operand[at]), &number))
      number = std::numeric_limits<uint64_t>::max(); // As usage_totals::add does.
    store(&sum[at], number);
  }
  return true;
}

} // namespace troupe::storage
