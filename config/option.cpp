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

std::string bounds_of(const port_option&) {
  return fmt::format("0 to {}", port_max);
}

std::string bounds_of(const count_option& kind) {
  return fmt::format("{} to {}", kind.min, kind.max);
}

std::string bounds_of(const duration_option& kind) {
  return fmt::format("{} to {}", format_duration(kind.min), format_duration(kind.max));
}

std::string bounds_of(const size_option& kind) {
  auto text = fmt::format("{} to {}", format_bytes(kind.min), format_bytes(kind.max));
  return kind.zero.empty() ? text : fmt::format("{}, or 0 for {}", text, kind.zero);
}

std::string bounds_of(const money_option& kind) {
  return fmt::format("0 to {}, at most twelve decimals", format_money(kind.max));
}

std::string bounds_of(const choice_option& kind) {
  return fmt::format("one of {}", fmt::join(kind.among, ", "));
}

std::string bounds_of(const text_option& kind) {
  return std::string{kind.rule};
}

caf::error store(const port_option& kind, settings& all, std::string_view text) {
  const auto value = parse_number(text);
  if (!value)
    return refuse(text, "a whole number");
  if (*value > port_max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = static_cast<uint16_t>(*value);
  return {};
}

caf::error store(const count_option& kind, settings& all, std::string_view text) {
  const auto value = parse_number(text);
  if (!value)
    return refuse(text, "a whole number");
  if (*value < kind.min || *value > kind.max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = static_cast<uint32_t>(*value);
  return {};
}

caf::error store(const duration_option& kind, settings& all, std::string_view text) {
  const auto value = parse_duration(text);
  if (!value)
    return refuse(text, "a duration such as 100ms, 3s, 10min or 1h");
  if (*value < kind.min || *value > kind.max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = *value;
  return {};
}

caf::error store(const size_option& kind, settings& all, std::string_view text) {
  const auto value = parse_bytes(text);
  if (!value)
    return refuse(text, "a size such as 512MiB or 4GiB");
  const bool is_special = *value == 0 && !kind.zero.empty();
  if (!is_special && (*value < kind.min || *value > kind.max))
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = *value;
  return {};
}

caf::error store(const money_option& kind, settings& all, std::string_view text) {
  const auto value = parse_money(text);
  if (!value)
    return refuse(text, "an amount such as 0.0000166667, with at most twelve decimals");
  if (*value > kind.max)
    return out_of_bounds(text, bounds_of(kind));
  kind.value.write(all) = *value;
  return {};
}

caf::error store(const choice_option& kind, settings& all, std::string_view text) {
  if (std::find(kind.among.begin(), kind.among.end(), text) == kind.among.end())
    return refuse(text, bounds_of(kind));
  kind.value.write(all) = std::string{text};
  return {};
}

caf::error store(const text_option& kind, settings& all, std::string_view text) {
  if (!kind.accepts(text))
    return refuse(text, kind.rule);
  kind.value.write(all) = std::string{text};
  return {};
}

} // namespace

caf::error option::set(settings& all, std::string_view text) const {
  return std::visit([&all, text](const auto& of) { return store(of, all, text); }, kind);
}

std::string option::get(const settings& all) const {
  return std::visit(overloaded{
                      [&all](const port_option& of) { return std::to_string(of.value.read(all)); },
                      [&all](const count_option& of) { return std::to_string(of.value.read(all)); },
                      [&all](const duration_option& of) { return format_duration(of.value.read(all)); },
                      [&all](const size_option& of) { return format_bytes(of.value.read(all)); },
                      [&all](const money_option& of) { return format_money(of.value.read(all)); },
                      [&all](const choice_option& of) { return of.value.read(all); },
                      [&all](const text_option& of) { return of.value.read(all); },
                    },
                    kind);
}

std::string_view option::section() const noexcept {
  return name.substr(0, name.find('.'));
}

std::string_view option::key() const noexcept {
  return name.substr(name.find('.') + 1);
}

std::string option::environment() const {
  std::string result = "TROUPE_";
  for (const char c : name)
    result += c == '.' || c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return result;
}

std::string_view option::type() const {
  return std::visit(overloaded{
                      [](const port_option&) { return "PORT"; },
                      [](const count_option&) { return "COUNT"; },
                      [](const duration_option&) { return "DURATION"; },
                      [](const size_option&) { return "SIZE"; },
                      [](const money_option&) { return "AMOUNT"; },
                      [](const choice_option&) { return "WORD"; },
                      [](const text_option&) { return "TEXT"; },
                    },
                    kind);
}

std::string option::bounds() const {
  return std::visit([](const auto& of) { return bounds_of(of); }, kind);
}

bool option::is_number() const noexcept {
  return std::holds_alternative<port_option>(kind) || std::holds_alternative<count_option>(kind);
}

} // namespace troupe::config
