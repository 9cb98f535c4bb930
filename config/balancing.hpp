#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe {

/// How a balancer chooses among workers: actors/policies.hpp says what each does.
enum class policy_kind : uint8_t { warm_first, two_choices, least_loaded, round_robin, random };

/// Their names in the configuration, in the order of the enumerators. The first is the default.
inline constexpr std::array<std::string_view, 5> policy_names{"warm-first", "two-choices", "least-loaded",
                                                              "round-robin", "random"};

constexpr std::string_view name_of(policy_kind kind) noexcept {
  return policy_names[static_cast<size_t>(kind)];
}

/// The policy of that name; nullopt when there is none.
constexpr std::optional<policy_kind> policy_named(std::string_view text) noexcept {
  for (size_t i = 0; i < policy_names.size(); ++i)
    if (policy_names[i] == text)
      return static_cast<policy_kind>(i);
  return std::nullopt;
}

} // namespace troupe
