#pragma once

#include <string>

namespace troupe::http {

/// Whether the part of a node is in an answer that many nodes have a part in.
struct ledger_share {
  std::string node;
  std::string problem; ///< empty: it is
};

} // namespace troupe::http
