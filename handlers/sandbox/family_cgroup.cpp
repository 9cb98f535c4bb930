#include "handlers/sandbox/family_cgroup.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/cpu_share.hpp"
#include "handlers/sandbox/small_file.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace troupe::handlers {

namespace {

caf::error failed(const char* why) {
  return make_error(errc::sandbox_failed, std::string{"limit a family: "} + why);
}

} // namespace

family_cgroup::~family_cgroup() {
  if (!directory_.empty() && ::rmdir(directory_.c_str()) != 0 && errno != ENOENT)
    spdlog::warn("a cgroup of a template's family stays behind: {}", std::strerror(errno));
}

/// A file that is not there is the other version's, or what this machine does not count.
caf::error family_cgroup::write(const char* file, uint64_t value) const {
  const int error = write_small_file(directory_ + file, std::to_string(value));
  return error == 0 || error == ENOENT ? caf::error{} : failed(std::strerror(error));
}

/// v2 would kill processes of the family until the rest fits, whoever it is that has too much.
caf::error family_cgroup::make_do_with(uint64_t bytes) const {
  const auto in_use = [this] { return read_small_number(directory_ + "/memory.current"); };
  if (const uint64_t now = in_use(); now > bytes)
    write_small_file(directory_ + "/memory.reclaim", std::to_string(now - bytes)); // as much of it as can be had
  return in_use() > bytes ? failed("more is in use") : caf::error{};
}

caf::error family_cgroup::limit(uint32_t memory_mb, size_t sandboxes) {
  if (directory_.empty() || sandboxes == sandboxes_)
    return {};
  const uint64_t bytes = sandboxes * memory_mb * limits::mib + limits::family_extra_bytes;
  if (auto err = make_do_with(bytes))
    return err;
  // In v1 the sum of memory and swap is never the smaller limit.
  const bool more = sandboxes_ != 0 && sandboxes > sandboxes_;
  const char* const v1[] = {"/memory.memsw.limit_in_bytes", "/memory.limit_in_bytes"};
  for (const char* file : {v1[more ? 0 : 1], v1[more ? 1 : 0], "/memory.max"})
    if (auto err = write(file, bytes))
      return err;
  // Counted apart from all other memory, in v1.
  if (auto err = write("/memory.kmem.tcp.limit_in_bytes", sandboxes * limits::tcp_buffer_bytes_max))
    return err;
  // Where the CPU is in the same hierarchy, what the members weigh by themselves counts among them only.
  if (auto err = write("/cpu.weight", cpu_share::of_v2(memory_mb, sandboxes)))
    return err;
  if (auto err = write("/cpu.shares", cpu_share::of_v1(memory_mb, sandboxes)))
    return err;
  sandboxes_ = sandboxes;
  return {};
}

} // namespace troupe::handlers
