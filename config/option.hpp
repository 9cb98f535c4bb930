#pragma once

#include "config/settings.hpp"

#include <caf/error.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace troupe::config {

/// Where an option's value lies in `settings`.
template <class T>
struct place {
  const T& (*read)(const settings&);
  T& (*write)(settings&);
};

/// The place of a member of a section: in<&settings::http, &http_settings::port>.
template <auto Section, auto Member>
inline constexpr auto in = place<std::remove_cvref_t<decltype(settings{}.*Section.*Member)>>{
  [](const settings& all) -> const auto& { return all.*Section.*Member; },
  [](settings& all) -> auto& { return all.*Section.*Member; },
};

// The kinds of options. Bounds are inclusive, in the member's own unit.

struct port_option {
  place<uint16_t> value;
};

struct count_option {
  place<uint32_t> value;
  uint32_t min;
  uint32_t max;
};

struct duration_option {
  place<std::chrono::milliseconds> value;
  std::chrono::milliseconds min;
  std::chrono::milliseconds max;
};

struct size_option {
  place<uint64_t> value;
  uint64_t min;
  uint64_t max;
  std::string_view zero; ///< what 0 means although it is below `min`; empty: 0 is refused
};

struct money_option {
  place<uint64_t> value;
  uint64_t max;
};

struct choice_option {
  place<std::string> value;
  std::span<const std::string_view> among;
};

struct text_option {
  place<std::string> value;
  std::string_view rule; ///< for people: what `accepts` asks for
  bool (*accepts)(std::string_view);
};

using option_kind =
  std::variant<port_option, count_option, duration_option, size_option, money_option, choice_option, text_option>;

/// One option, declared once (config/options.cpp). Everything that is done with options is made from these fields.
struct option {
  std::string_view name; ///< section.key
  option_kind kind;
  std::string_view help; ///< one sentence

  /// Reads, checks and stores a value given as text. Fails with invalid_argument and the reason, without the name.
  caf::error set(settings& all, std::string_view text) const;

  /// The value as text that `set` reads.
  std::string get(const settings& all) const;

  std::string_view section() const noexcept;
  std::string_view key() const noexcept;
  std::string environment() const; ///< TROUPE_SECTION_KEY
  std::string_view type() const;   ///< one word in capitals, such as DURATION
  std::string bounds() const;      ///< for people, such as "1 to 65535"
  bool is_number() const noexcept; ///< a plain integer in TOML and JSON; all others are strings
};

} // namespace troupe::config
