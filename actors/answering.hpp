#pragma once

#include "actors/messages.hpp"

#include <chrono>
#include <utility>

namespace troupe {

/// Whether an answer waits until its record is stored (ledger.flush-interval = 0), or leaves at once.
enum class answer_order : uint8_t { at_once, after_record };

inline answer_order answer_order_of(std::chrono::milliseconds flush_interval) noexcept {
  return flush_interval.count() == 0 ? answer_order::after_record : answer_order::at_once;
}

/// Ends an invocation that has run. `hand_on` is called first, with the record if that is still to be stored, else with
/// a nil one that tells the run's time. The answer then comes from the ledger, whatever becomes of the
/// caller meanwhile.
template <class HandOn>
void answer(answer_order order, const ledger_actor& ledger, caf::typed_response_promise<outcome> promise,
            outcome result, usage_record record, HandOn hand_on) {
  if (order == answer_order::at_once) {
    hand_on(std::move(record));
    promise.deliver(std::move(result));
    return;
  }
  usage_record run_only;
  run_only.run_ns = record.run_ns;
  hand_on(std::move(run_only));
  promise.delegate(ledger, atom::append::value, std::move(record), std::move(result));
}

} // namespace troupe
