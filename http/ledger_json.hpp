#pragma once

#include "http/ledger_share.hpp"
#include "storage/records.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The ledgers' answers as JSON. A page may have thousands of records, so they are written straight into the text.
/// `nodes` has an entry for each node: {"name": .., "answered": true}, or false and {"reason": ..}.
namespace troupe::http {

/// {"currency": .., "rows": [..], "nodes": [..]}: the sums by function and hour.
std::string usage_document(std::string_view currency, const std::vector<storage::usage_row>& rows,
                           const std::vector<ledger_share>& nodes);

/// {"records": [..], "next": id, "nodes": [..]}; `next` is there when there are more than these.
std::string records_document(const std::vector<storage::usage_record>& records, const std::optional<uuid>& next,
                             const std::vector<ledger_share>& nodes);

/// {"records": n, "rows": n, "faults": [..], "nodes": [..]}.
std::string verify_document(const storage::verify_report& report, const std::vector<ledger_share>& nodes);

} // namespace troupe::http
