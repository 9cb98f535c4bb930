#include "config/option.hpp"

#include "config/errc.hpp"
#include "config/units.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::config {

namespace {

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;

constexpr uint64_t port_max = 65'535;

/// Text of a user inside an error: one line, not too long, and quoted.
std::string quoted(std::string_view text) {
  constexpr size_t shown_max = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, shown_max))
    result += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  return result + (text.size() > shown_max ? "...\"" : "\"");
}

caf::error refuse(std::string_view text, std::string_view expected) {
  return make_error(errc::invalid_argument, fmt::format("{} is not {}", quoted(text), expected));
}

caf::error out_of_bounds(std::string_view text, std::string_view bounds) {
  return make_error(errc::invalid_argument, fmt::format("{} is out of bounds: {}", quoted(text), bounds));
}

template <class All>
std::string bounds_of(const port_option<All>&) {
  return fmt::format("0 to {}", port_max);
}

template <class All>
std::string bounds_of(const count_option<All>& kind) {
  auto text = fmt::format("{} to {}", kind.min, kind.max);
  return kind.zero.empty() ? text : fmt::format("{}, or 0 for {}", text, kind.zero);
}

template <class All>
std::string bounds_of(const duration_option<All>& kind) {
  return fmt::format("{} to {}", format_duration(kind.min), format_duration(kind.max));
}

template <class All>
std::string bounds_of(const size_option<All>& kind) {
  auto text = fmt::format("{} to {}", format_bytes(kind.min), format_bytes(kind.max));
  return kind.zero.empty() ? text : fmt::format("{}, or 0 for {}", text, kind.zero);
}

template <class All>
std::string bounds_of(const money_option<All>& kind) {
  return fmt::format("0 to {}, at most twelve decimals", format_money(kind.max));
}

template <class All>
std::string bounds_of(const choice_option<All>& kind) {
  return fmt::format("one of {}", fmt::join(kind.among, ", "));
}

template <class All>
std::string bounds_of(const text_option<All>& kind) {
  return std::string{kind.rule};
}

template <class All>
caf::error store(const port_option<All>& kind, All& all, std::string_view text) {
  const auto value = parse_number(text);
  if (!value)
    return refuse(text, "a whole number");
  if (*value > port_max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = static_cast<uint16_t>(*value);
  return {};
}

template <class All>
caf::error store(const count_option<All>& kind, All& all, std::string_view text) {
  const auto value = parse_number(text);
  if (!value)
    return refuse(text, "a whole number");
  const bool is_special = *value == 0 && !kind.zero.empty();
  if (!is_special && (*value < kind.min || *value > kind.max))
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = static_cast<uint32_t>(*value);
  return {};
}

template <class All>
caf::error store(const duration_option<All>& kind, All& all, std::string_view text) {
  const auto value = parse_duration(text);
  if (!value)
    return refuse(text, "a duration such as 100ms, 3s, 10min or 1h");
  if (*value < kind.min || *value > kind.max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = *value;
  return {};
}

template <class All>
caf::error store(const size_option<All>& kind, All& all, std::string_view text) {
  const auto value = parse_bytes(text);
  if (!value)
    return refuse(text, "a size such as 512MiB or 4GiB");
  const bool is_special = *value == 0 && !kind.zero.empty();
  if (!is_special && (*value < kind.min || *value > kind.max))
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = *value;
  return {};
}

template <class All>
caf::error store(const money_option<All>& kind, All& all, std::string_view text) {
  const auto value = parse_money(text);
  if (!value)
    return refuse(text, "an amount such as 0.0000166667, with at most twelve decimals");
  if (*value > kind.max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = *value;
  return {};
}

template <class All>
caf::error store(const choice_option<All>& kind, All& all, std::string_view text) {
  if (std::find(kind.among.begin(), kind.among.end(), text) == kind.among.end())
    return refuse(text, bounds_of(kind));
  kind.value.write(all) = std::string{text};
  return {};
}

template <class All>
caf::error store(const text_option<All>& kind, All& all, std::string_view text) {
  if (!kind.accepts(text))
    return refuse(text, kind.rule);
  kind.value.write(all) = std::string{text};
  return {};
}

} // namespace

template <class All>
caf::error option_of<All>::set(All& all, std::string_view text) const {
  return std::visit([&all, text](const auto& of) { return store(of, all, text); }, kind);
}

template <class All>
std::string option_of<All>::get(const All& all) const {
  return std::visit(overloaded{
                      [&all](const port_option<All>& of) { return std::to_string(of.value.read(all)); },
                      [&all](const count_option<All>& of) { return std::to_string(of.value.read(all)); },
                      [&all](const duration_option<All>& of) { return format_duration(of.value.read(all)); },
                      [&all](const size_option<All>& of) { return format_bytes(of.value.read(all)); },
                      [&all](const money_option<All>& of) { return format_money(of.value.read(all)); },
                      [&all](const choice_option<All>& of) { return of.value.read(all); },
                      [&all](const text_option<All>& of) { return of.value.read(all); },
                    },
                    kind);
}

template <class All>
std::string_view option_of<All>::section() const noexcept {
  return name.substr(0, name.find('.'));
}

template <class All>
std::string_view option_of<All>::key() const noexcept {
  return name.substr(name.find('.') + 1);
}

template <class All>
std::string option_of<All>::environment() const {
  std::string result = "TROUPE_";
  for (const char c : name)
    result += c == '.' || c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return result;
}

template <class All>
std::string_view option_of<All>::type() const {
  return std::visit(overloaded{
                      [](const port_option<All>&) { return "PORT"; },
                      [](const count_option<All>&) { return "COUNT"; },
                      [](const duration_option<All>&) { return "DURATION"; },
                      [](const size_option<All>&) { return "SIZE"; },
                      [](const money_option<All>&) { return "AMOUNT"; },
                      [](const choice_option<All>&) { return "WORD"; },
                      [](const text_option<All>&) { return "TEXT"; },
                    },
                    kind);
}

template <class All>
std::string option_of<All>::bounds() const {
  return std::visit([](const auto& of) { return bounds_of(of); }, kind);
}

template <class All>
bool option_of<All>::is_number() const noexcept {
  return std::holds_alternative<port_option<All>>(kind) || std::holds_alternative<count_option<All>>(kind);
}

template struct option_of<settings>;
template struct option_of<tenant_settings>;

} // namespace troupe::config
