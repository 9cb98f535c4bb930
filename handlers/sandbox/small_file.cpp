#include "handlers/sandbox/small_file.hpp"

#include "handlers/wire/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <unistd.h>

namespace troupe::handlers {

int write_small_file(const std::string& path, std::string_view text) noexcept {
  const unique_fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

std::optional<std::string> read_small_file(const std::string& path) {
  constexpr size_t bytes_max = 64 * 1024;
  const unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return std::nullopt;
  std::string text;
  char part[8 * 1024]; // most have a line; the zygote's pages are copied when they are written to
  while (text.size() < bytes_max) {
    const ssize_t count = ::read(file.get(), part, std::min(sizeof part, bytes_max - text.size()));
    if (count < 0)
      return std::nullopt;
    if (count == 0)
      break;
    text.append(part, static_cast<size_t>(count));
  }
  return text;
}

uint64_t number_in(std::string_view text) noexcept {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

uint64_t read_small_number(const std::string& path) {
  const auto text = read_small_file(path);
  return text ? number_in(*text) : 0;
}

} // namespace troupe::handlers
