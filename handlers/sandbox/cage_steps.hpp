#pragma once

#include "handlers/sandbox/cage.hpp"

#include <span>

namespace troupe::handlers {

/// One thing that a child does to itself. It returns false with errno set when that fails.
struct step {
  const char* name;
  bool (*take)(cage_plan&) noexcept;
};

/// The list, in order: what build_cage() does, and what close_cage() does. They take every step; nothing can leave one
/// out.
std::span<const step> blank_steps() noexcept;
std::span<const step> last_steps() noexcept;

} // namespace troupe::handlers
