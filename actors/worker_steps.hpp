#pragma once

#include "actors/worker.hpp"

/// What the parts of a worker call of each other; each ends in the file that its heading names.
namespace troupe::working {

using self_pointer = worker_inner::stateful_pointer<worker_state>;

// -- worker.cpp ------------------------------------------------------------------------------------------------------

/// Carries out all that the pool wants done; the end of every handler that told the pool something.
void settle(self_pointer self);

/// Forgets the revisions without sandboxes; their bundles may go when they are no longer deployed.
void forget_unused(self_pointer self);

/// The record goes to the ledger with the next batch; a nil one does not.
void keep(self_pointer self, usage_record&& record);

// -- worker_starts.cpp -----------------------------------------------------------------------------------------------

/// Has a sandbox made.
void start(self_pointer self, const sandbox_pool::start& what);

/// A sandbox was not set up, which is the node's failure and not the function's: there is another attempt, and only
/// when that fails, too, one who waits is told.
void answer_failed_set_up(self_pointer self, const uuid& revision, const failed_set_up& failed);

/// A handler that did not load answers one of those who waited for it.
void answer_failed_start(self_pointer self, const uuid& revision, failed_start& failed);

// -- worker_notices.cpp: what balancers are told, and how the worker knows that they still listen ---------------------

/// A balancer is going to send invocations with tickets.
void follow(self_pointer self, const dispatcher_actor& who);

/// The one with that address is gone. False when there was none.
bool lose_follower(self_pointer self, const caf::actor_addr& who);

/// An answer to the question that was asked at that time (ns of the steady clock).
void hear_of_life(self_pointer self, uint64_t asked_ns);

/// Asks all balancers for a sign of life, once it is time.
void ask_for_life(self_pointer self);

/// Whether whoever sent an invocation with a ticket still listens; without a ticket there is no sender. A worker that
/// was frozen or cut off for so long that others may have its invocations by now must not begin them.
bool is_heard(self_pointer self, const caf::strong_actor_ptr& sender);

/// Tells the sender of an invocation that could not be begun at once.
void tell_waiting(self_pointer self, call_ticket ticket);

/// Tells the sender of an invocation that begins, if it was told that it waits.
void tell_begun(self_pointer self, const waiting_calls::entry& what);

/// A sandbox of that revision has ended.
void tell_remaining(self_pointer self, const uuid& revision);

} // namespace troupe::working
