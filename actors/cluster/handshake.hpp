#pragma once

#include "actors/cluster/channel.hpp"
#include "actors/cluster/hello.hpp"

#include <caf/expected.hpp>

#include <functional>

namespace troupe::cluster {

/// What two nodes say to each other on a new connection: the one that dialled says hello, the other judges it and
/// answers with its own or with a refusal, the first with a welcome or a refusal.
struct handshake {
  direction side = direction::dialled;
  hello mine;

  /// Asked after the two hellos have been judged: why the other one may not come in all the same.
  std::function<std::optional<refusal>(const hello& theirs)> admit;

  /// Called when nothing speaks against the two but that they meet the other way round, or have met.
  std::function<void()> is_later = {};
};

/// Carries it out. The answer is the other's hello once both agree; or an error whose text is the rest of a sentence
/// about the other side: `conflict` when either refused or showed a wrong certificate, else `unavailable`.
task<caf::expected<hello>> shake_hands(std::shared_ptr<channel> over, handshake terms);

} // namespace troupe::cluster
