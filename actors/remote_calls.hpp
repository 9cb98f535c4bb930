#pragma once

#include "actors/messages.hpp"
#include "actors/worker_table.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

/// The invocations that a balancer has sent to workers and not heard of since. CAF answers no request to a node that is
/// lost: whoever waits is answered from here. Each that was put in is taken out once.
class remote_calls {
public:
  struct entry {
    invocation call;
    caf::typed_response_promise<outcome> promise;
    troupe::trip trip;
    std::chrono::steady_clock::time_point deadline; ///< by then whoever waits is answered in any case
    uint32_t sent = 0;                              ///< to how many workers so far
    bool begun = true;                              ///< as long as the worker has not said that it waits
  };

  /// Gives the invocation a ticket that no other one has had.
  entry& put(entry what);

  /// nullptr when it has been taken out since.
  entry* find(uint64_t ticket);

  /// Nothing when it has been taken out since.
  std::optional<entry> take(uint64_t ticket);

  /// Those that went to a worker.
  std::vector<entry> take_sent_to(worker_index worker);

  /// Those whose deadline has come.
  std::vector<entry> take_late(std::chrono::steady_clock::time_point now);

private:
  template <class Predicate>
  std::vector<entry> take_if(Predicate predicate);

  std::unordered_map<uint64_t, entry> entries_;
  uint64_t last_ = 0;
};

} // namespace troupe
