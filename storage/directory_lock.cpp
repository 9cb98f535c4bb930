#include "storage/directory_lock.hpp"

#include "config/errc.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace troupe::storage {

directory_lock::directory_lock(directory_lock&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}

directory_lock& directory_lock::operator=(directory_lock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

directory_lock::~directory_lock() {
  if (fd_ >= 0)
    ::close(fd_);
}

caf::expected<directory_lock> directory_lock::take(const std::filesystem::path& directory) {
  const auto file = directory / "OWNER";
  directory_lock lock{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (lock.fd_ < 0)
    return make_error(errc::io_error, "opening the database's lock: " + std::generic_category().message(errno));
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) == 0)
    return lock;
  if (errno == EWOULDBLOCK)
    return make_error(errc::already_running, "the database is in use by another node");
  return make_error(errc::io_error, "locking the database: " + std::generic_category().message(errno));
}

} // namespace troupe::storage
