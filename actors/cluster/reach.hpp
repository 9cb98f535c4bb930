#pragma once

#include "actors/cluster/channel.hpp"

#include <caf/error.hpp>

#include <string>

namespace troupe::cluster {

/// Connects `over`, which has no connection yet, with a host by address or DNS name, trying all its addresses within
/// the time that `over` has. Names are looked up on a thread of Asio's. Fails with unavailable, the text being the rest
/// of a sentence about the host.
task<caf::error> reach(std::shared_ptr<channel> over, boost::asio::io_context& io, std::string host, uint16_t port);

} // namespace troupe::cluster
