#pragma once

#include <caf/expected.hpp>

#include <string>

/// Packet filter rules. The kernel takes all rules of a script or none.
namespace troupe::handlers {

/// Where the program `nft` is; null when there is none.
const char* find_nft() noexcept;

/// Runs Debian's program `nft` on a script in its language (nft(8)), in the network namespace of the calling thread;
/// returns up to 64 KiB of what it wrote. Takes milliseconds, at most limits::nft_time_max. Fails with not_supported
/// when there is no such program, or with sandbox_failed and the first line that it wrote.
caf::expected<std::string> run_nft(const std::string& script);

} // namespace troupe::handlers
