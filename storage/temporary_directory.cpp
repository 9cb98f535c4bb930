#include "storage/temporary_directory.hpp"

#include "config/errc.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::storage {

temporary_directory::temporary_directory(temporary_directory&& other) noexcept
  : path_{std::exchange(other.path_, {})} {}

temporary_directory& temporary_directory::operator=(temporary_directory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

temporary_directory::~temporary_directory() {
  std::error_code ignored; // What cannot be removed stays behind; nobody is left to tell.
  if (!path_.empty())
    std::filesystem::remove_all(path_, ignored);
}

caf::expected<temporary_directory> temporary_directory::make() {
  std::error_code failure;
  auto parent = std::filesystem::temp_directory_path(failure);
  if (failure)
    return make_error(errc::io_error, "there is no directory for temporary files: " + failure.message());
  std::string name = (parent / "troupe-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    return make_error(errc::io_error, "making a temporary directory: " + std::generic_category().message(errno));
  temporary_directory made;
  made.path_ = std::move(name);
  return made;
}

} // namespace troupe::storage
