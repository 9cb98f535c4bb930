#pragma once

#include "http/node_context.hpp"

namespace troupe::http {

/// Answers a request whose route has been found (no problem in it). What goes wrong becomes an answer too; exceptions
/// are bugs, and the session turns them into a 500. Both arguments have to live until it is done.
task<void> answer(node_context& node, exchange& x);

} // namespace troupe::http
