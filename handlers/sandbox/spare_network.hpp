#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <string>
#include <utility>
#include <vector>

namespace troupe::handlers {

/// A sandbox's network namespace as the node keeps it, so that another sandbox may have it if nobody has used it:
/// making and removing one costs as much as the clone of the process.
class spare_network {
public:
  spare_network() = default;

  /// As the zygote sends them: in the order of network_fd (zygote_protocol.hpp).
  explicit spare_network(std::vector<unique_fd> fds) : fds_{std::move(fds)} {}

  /// False when there is none.
  explicit operator bool() const noexcept { return !fds_.empty(); }

  /// To enter it.
  int number() const noexcept { return fds_.front().get(); }

  /// How many sockets there are in it, and all that its devices and protocols have counted. A namespace that reads like
  /// a new one is as a new one: no packet, no refused attempt to send one, no socket on its way to its end.
  std::string reading() const;

private:
  std::vector<unique_fd> fds_;
};

} // namespace troupe::handlers
