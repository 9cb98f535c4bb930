#pragma once

#include "actors/cluster/telling.hpp"

/// A membership's part that has nodes leave, this one and others: in this order `retire`, `finish`, `say_goodbye`.
namespace troupe::member_parts {

void answer_all(std::vector<caf::typed_response_promise<caf::unit_t>>& waiting, const caf::error& problem);

/// Has that node leave.
caf::result<caf::unit_t> drain(self_pointer self, const std::string& name, caf::timespan patience);

caf::result<bool> retire(self_pointer self);
caf::result<caf::unit_t> finish(self_pointer self, caf::timespan patience);
caf::result<caf::unit_t> say_goodbye(self_pointer self, caf::timespan time_max);

} // namespace troupe::member_parts
