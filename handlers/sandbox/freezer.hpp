#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <cstdint>

namespace troupe::handlers {

enum class cgroup_version : uint8_t { v1, v2 };

/// Stops every process and thread of a sandbox where it is, and lets them go on. A value that owns a descriptor; used
/// by one thread.
class freezer {
public:
  freezer() = default;
  freezer(cgroup_version version, unique_fd file) : version_{version}, file_{std::move(file)} {}

  /// False where the machine has none, and then the others do nothing.
  explicit operator bool() const noexcept { return static_cast<bool>(file_); }

  /// Returns at once; the last process has stopped some 50 us later. False, with errno set, when the kernel refuses.
  bool freeze() noexcept;

  bool thaw() noexcept;

private:
  bool write(const char* text) noexcept;

  cgroup_version version_ = cgroup_version::v2;
  unique_fd file_;
};

} // namespace troupe::handlers
