#pragma once

#include "handlers/sandbox/cage.hpp"

#include <span>

namespace troupe::handlers {

/// One thing that a process does to itself. It returns false with errno set when that fails.
struct step {
  const char* name;
  bool (*take)(cage_plan&) noexcept;
};

/// The lists, in order: see cage.hpp for who takes them.
std::span<const step> zygote_steps() noexcept;
std::span<const step> blank_steps() noexcept;
std::span<const step> last_steps() noexcept;
std::span<const step> shell_steps() noexcept;
std::span<const step> holder_steps() noexcept;
std::span<const step> template_steps() noexcept;
std::span<const step> last_template_steps() noexcept;
std::span<const step> leaving_steps() noexcept;

/// Takes every step, one after the other; nothing can leave one out. The name of one that failed, with errno set, and
/// none after it was taken; or nullptr.
const char* take(std::span<const step> steps, cage_plan& plan) noexcept;

} // namespace troupe::handlers
