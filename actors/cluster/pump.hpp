#pragma once

#include "actors/cluster/channel.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <string>

namespace troupe::cluster {

/// Makes a descriptor of a connection whose bytes have to be worked on, one with TLS: the node's end of a socket pair,
/// and behind it coroutines that carry bytes both ways, `first` ahead of all others. They hold one buffer for each
/// direction, so who does not read holds up who writes. The link ends on both sides when either closes, and when
/// nothing of a write has been taken for `stall_timeout`; it keeps itself alive until then, or until the io_context
/// goes. Fails with io_error when there are no descriptors left.
caf::expected<unique_fd> start_pump(std::shared_ptr<channel> net, std::string first,
                                    std::chrono::milliseconds stall_timeout);

} // namespace troupe::cluster
