#pragma once

#include "actors/messages.hpp"
#include "config/errc.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace troupe {

/// Whether an answer waits until its record is stored (ledger.flush-interval = 0), or leaves at once.
enum class answer_order : uint8_t { at_once, after_record };

inline answer_order answer_order_of(std::chrono::milliseconds flush_interval) noexcept {
  return flush_interval.count() == 0 ? answer_order::after_record : answer_order::at_once;
}

/// Ends an invocation that has run. `hand_on` is called first, with the record if that is still to be stored, else with
/// a nil one that tells the run's time; `self` asks the ledger.
template <class Self, class HandOn>
void answer(Self self, answer_order order, const ledger_actor& ledger, caf::typed_response_promise<outcome> promise,
            outcome result, usage_record record, HandOn hand_on) {
  if (order == answer_order::at_once) {
    hand_on(std::move(record));
    promise.deliver(std::move(result));
    return;
  }
  usage_record run_only;
  run_only.run_ns = record.run_ns;
  hand_on(std::move(run_only));
  auto kept = std::make_shared<outcome>(std::move(result));
  // As an untyped actor: CAF 0.17 makes an empty message of a unit_t, which a typed answer cannot match.
  self->request(caf::actor_cast<caf::actor>(ledger), std::chrono::seconds{10}, atom::append::value, std::move(record))
    .then([promise, kept]() mutable { promise.deliver(std::move(*kept)); },
          [promise](const caf::error&) mutable {
            promise.deliver(make_error(errc::unavailable, "the function ran, but its record could not be stored"));
          });
}

} // namespace troupe
