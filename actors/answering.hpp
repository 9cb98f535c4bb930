#pragma once

#include "actors/messages.hpp"
#include "config/errc.hpp"

#include <memory>

namespace troupe {

/// Answers an invocation only once the ledger has stored its record (ledger.flush-interval = 0); `self` asks it.
template <class Self>
void answer_after_record(Self self, const ledger_actor& ledger, caf::typed_response_promise<outcome> promise,
                         outcome result, const usage_record& record) {
  auto kept = std::make_shared<outcome>(std::move(result));
  // As an untyped actor: CAF 0.17 makes an empty message of a unit_t, which a typed answer cannot match.
  self->request(caf::actor_cast<caf::actor>(ledger), std::chrono::seconds{10}, atom::append::value, record)
    .then([promise, kept]() mutable { promise.deliver(std::move(*kept)); },
          [promise](const caf::error&) mutable {
            promise.deliver(make_error(errc::unavailable, "the function ran, but its record could not be stored"));
          });
}

} // namespace troupe
