#include "handlers/sandbox/freezer.hpp"

#include <cstring>

#include <unistd.h>

namespace troupe::handlers {

bool freezer::freeze() noexcept {
  return write(version_ == cgroup_version::v1 ? "FROZEN" : "1");
}

bool freezer::thaw() noexcept {
  return write(version_ == cgroup_version::v1 ? "THAWED" : "0");
}

bool freezer::write(const char* text) noexcept {
  const auto size = std::strlen(text);
  return !file_ || ::pwrite(file_.get(), text, size, 0) == static_cast<ssize_t>(size);
}

} // namespace troupe::handlers
