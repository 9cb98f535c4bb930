#pragma once

#include "config/settings.hpp"

#include <caf/error.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace troupe::config {

/// Where an option's value lies in `All`.
template <class T, class All>
struct place {
  const T& (*read)(const All&);
  T& (*write)(All&);
};

/// The place of a member of a section: in<&settings::http, &http_settings::port>.
template <auto Section, auto Member>
inline constexpr auto in = place<std::remove_cvref_t<decltype(settings{}.*Section.*Member)>, settings>{
  [](const settings& all) -> const auto& { return all.*Section.*Member; },
  [](settings& all) -> auto& { return all.*Section.*Member; },
};

/// The place of a member of a tenant's table.
template <auto Member>
inline constexpr auto of_tenant = place<std::remove_cvref_t<decltype(tenant_settings{}.*Member)>, tenant_settings>{
  [](const tenant_settings& all) -> const auto& { return all.*Member; },
  [](tenant_settings& all) -> auto& { return all.*Member; },
};

// The kinds of options. Bounds are inclusive, in the member's own unit.

template <class All>
struct port_option {
  place<uint16_t, All> value;
};

template <class All>
struct count_option {
  place<uint32_t, All> value;
  uint32_t min;
  uint32_t max;
  std::string_view zero = {}; ///< what 0 means although it is below `min`; empty: nothing of its own
};

template <class All>
struct duration_option {
  place<std::chrono::milliseconds, All> value;
  std::chrono::milliseconds min;
  std::chrono::milliseconds max;
};

template <class All>
struct size_option {
  place<uint64_t, All> value;
  uint64_t min;
  uint64_t max;
  std::string_view zero; ///< what 0 means although it is below `min`; empty: 0 is refused
};

template <class All>
struct money_option {
  place<uint64_t, All> value;
  uint64_t max;
};

template <class All>
struct choice_option {
  place<std::string, All> value;
  std::span<const std::string_view> among;
};

template <class All>
struct text_option {
  place<std::string, All> value;
  std::string_view rule; ///< for people: what `accepts` asks for
  bool (*accepts)(std::string_view);
};

// What C++20 says is deduced for aggregates, and clang 16 does not know yet.
template <class All>
port_option(place<uint16_t, All>) -> port_option<All>;
template <class All, class... Bounds>
count_option(place<uint32_t, All>, Bounds...) -> count_option<All>;
template <class All, class... Bounds>
duration_option(place<std::chrono::milliseconds, All>, Bounds...) -> duration_option<All>;
template <class All, class... Bounds>
size_option(place<uint64_t, All>, Bounds...) -> size_option<All>;
template <class All, class... Bounds>
money_option(place<uint64_t, All>, Bounds...) -> money_option<All>;
template <class All, class... Bounds>
choice_option(place<std::string, All>, Bounds...) -> choice_option<All>;
template <class All, class... Rest>
text_option(place<std::string, All>, Rest...) -> text_option<All>;

template <class All>
using option_kind = std::variant<port_option<All>, count_option<All>, duration_option<All>, size_option<All>,
                                 money_option<All>, choice_option<All>, text_option<All>>;

/// One option of `All`, declared once (config/options.cpp). Everything that is done with options is made from these
/// fields.
template <class All>
struct option_of {
  std::string_view name; ///< section.key
  option_kind<All> kind;
  std::string_view help; ///< one sentence

  /// Reads, checks and stores a value given as text. Fails with invalid_argument and the reason, without the name.
  caf::error set(All& all, std::string_view text) const;

  /// The value as text that `set` reads.
  std::string get(const All& all) const;

  std::string_view section() const noexcept;
  std::string_view key() const noexcept;
  std::string environment() const; ///< TROUPE_SECTION_KEY
  std::string_view type() const;   ///< one word in capitals, such as DURATION
  std::string bounds() const;      ///< for people, such as "1 to 65535"
  bool is_number() const noexcept; ///< a plain integer in TOML and JSON; all others are strings
};

using option = option_of<settings>;

/// One that each table [tenant.NAME] has; its section is `tenant`.
using tenant_option = option_of<tenant_settings>;

} // namespace troupe::config
