#include "handlers/sandbox/family_cgroup.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace troupe::handlers {

family_cgroup::~family_cgroup() {
  if (!directory_.empty() && ::rmdir(directory_.c_str()) != 0 && errno != ENOENT)
    spdlog::warn("a cgroup of a template's family stays behind: {}", std::strerror(errno));
}

/// A file that is not there is the other version's, or what this machine does not count.
caf::error family_cgroup::write(const char* file, uint64_t bytes) const {
  const int error = write_small_file(directory_ + file, std::to_string(bytes));
  if (error == 0 || error == ENOENT)
    return {};
  return make_error(errc::sandbox_failed, std::string{"limit the memory of a family: "} + std::strerror(error));
}

caf::error family_cgroup::limit(uint64_t bytes) {
  if (directory_.empty() || bytes == bytes_)
    return {};
  const uint64_t before = std::exchange(bytes_, bytes);
  // In v1 the sum of memory and swap is never the smaller limit.
  const bool more = before != 0 && bytes > before;
  const char* const v1[] = {"/memory.memsw.limit_in_bytes", "/memory.limit_in_bytes"};
  for (const char* file : {v1[more ? 0 : 1], v1[more ? 1 : 0], "/memory.max"})
    if (auto err = write(file, bytes))
      return err;
  return {};
}

} // namespace troupe::handlers
