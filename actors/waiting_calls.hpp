#pragma once

#include "actors/messages.hpp"
#include "actors/sandbox_pool.hpp"

#include <unordered_map>
#include <utility>

namespace troupe {

/// The invocations in a pool's queue, each with whoever waits for its outcome, by the ticket that the pool knows it by.
/// Owned by the worker. Each that was put in is taken out once, and then answered or handed on.
class waiting_calls {
public:
  struct entry {
    invocation call;
    caf::typed_response_promise<outcome> promise;
    caf::strong_actor_ptr sender; ///< of one with a ticket
    bool told = false;            ///< the sender knows that it waits
  };

  /// A number that no other one has had.
  call_ticket next_ticket() noexcept { return ++last_; }

  void put(call_ticket ticket, entry what) { entries_.emplace(ticket, std::move(what)); }

  /// nullptr when it has been taken out since.
  entry* find(call_ticket ticket) {
    const auto found = entries_.find(ticket);
    return found == entries_.end() ? nullptr : &found->second;
  }

  entry take(call_ticket ticket) { return std::move(entries_.extract(ticket).mapped()); }

  void fail(call_ticket ticket, caf::error why) { take(ticket).promise.deliver(std::move(why)); }

private:
  std::unordered_map<call_ticket, entry> entries_;
  call_ticket last_ = 0;
};

} // namespace troupe
