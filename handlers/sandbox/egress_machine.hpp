#pragma once

#include "config/ipv4.hpp"

#include <caf/error.hpp>

#include <optional>
#include <string>

#include <linux/netlink.h>

/// What the network for egress changes on the machine besides its interfaces, and how it is undone.
///
/// A note in the run directory says what was there before, and is there exactly while something is changed. So a node
/// that finds one at its start was killed, and undoes it. A note from before the machine's last start tells nothing.
namespace troupe::handlers {

/// A route to a range, and the interface that it leads to ("" when it has none).
struct machine_route {
  config::ipv4_range to;
  std::string interface;
};

/// nullopt when the message is no IPv4 route.
std::optional<machine_route> read_route(const nlmsghdr& message);

/// Writes the note. Fails with io_error, or as run_nft.
caf::error note_machine(const std::string& run_dir);

/// Has the machine forward IPv4 packets between its interfaces, if it does not. Fails with not_supported.
caf::error switch_forwarding_on();

/// If there is a note: removes the table of that name, switches forwarding off if it was, and removes the note.
/// Forwarding stays on when somebody else has come meanwhile who may need it, another node for example: when there are
/// other nftables tables than before. What fails is logged.
void restore_machine(const std::string& run_dir, const std::string& table);

} // namespace troupe::handlers
