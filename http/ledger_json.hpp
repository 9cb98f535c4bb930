#pragma once

#include "storage/records.hpp"

#include <string>
#include <string_view>
#include <vector>

/// The ledger's answers as JSON. A page may have thousands of records, so they are written straight into the text.
namespace troupe::http {

/// {"currency": .., "rows": [..]}: the sums by function and hour.
std::string usage_document(std::string_view currency, const std::vector<storage::usage_row>& rows);

/// {"records": [..], "next": id}: the first `count_max` of `records`; `next` is there when there are more than that.
std::string records_document(const std::vector<storage::usage_record>& records, size_t count_max);

/// {"records": n, "rows": n, "faults": [..]}.
std::string verify_document(const storage::verify_report& report);

} // namespace troupe::http
