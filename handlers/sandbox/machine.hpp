#pragma once

#include <caf/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::handlers {

/// Something that sandboxes want of the machine.
struct machine_part {
  enum class need : uint8_t {
    always,  ///< without it there are no sandboxes
    limit,   ///< without it only with worker.isolation = "relaxed"
    feature, ///< without it something else is not there
  };

  std::string name;
  need needed = need::always;
  bool there = false;
  std::string found;  ///< what there is, in words
  std::string remedy; ///< when it is not there: what to do, in one line
};

/// Looks at all that can be known without trying. What can only be tried, the first sandbox tries.
std::vector<machine_part> examine_machine();

/// Fails with not_supported and the first part that is missing and always needed.
caf::error check_machine();

} // namespace troupe::handlers
