#include "handlers/sandbox/spare_network.hpp"

#include "config/limits.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"

#include <string_view>

#include <unistd.h>

namespace troupe::handlers {
namespace {

/// Its first bytes: none of these files has more than some thousand.
std::string text_in(const unique_fd& file) {
  std::string text(16 * limits::kib, '\0');
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

} // namespace

std::string spare_network::reading() const {
  std::string result;
  for (size_t i = network_fd::sockets; i < fds_.size(); ++i) {
    const std::string text = text_in(fds_[i]);
    // After the first line of this one come sums of the whole machine.
    result += i == network_fd::sockets ? std::string_view{text}.substr(0, text.find('\n')) : std::string_view{text};
  }
  return result;
}

} // namespace troupe::handlers
