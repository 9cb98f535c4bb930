#pragma once

#include "storage/records.hpp"
#include "tools/table.hpp"

#include <boost/json.hpp>

#include <string>
#include <string_view>

/// How functions, records and bills look, as tables and as JSON. All numbers are integers until they are digits.
namespace troupe::tools {

/// Prints one JSON array to stdout, an element a line, as the elements come. `end` has to be called.
class json_list {
public:
  void add(const boost::json::object& element);
  void end();

private:
  bool is_empty_ = true;
};

/// `numerator / denominator` with that many decimals, cut off: decimal(1'234'567, 1'000'000, 3) is "1.234".
std::string decimal(uint64_t numerator, uint64_t denominator, unsigned decimals);

/// An invocation record as `billing records` prints it; the fields are those of GET /v1/invocations, and `cost`.
boost::json::object json_of(const storage::usage_record& record);

/// A function's sums as `billing report` prints them.
boost::json::object json_of(std::string_view function, const storage::usage_totals& totals, std::string_view currency);

table records_table();
void add_row(table& to, const storage::usage_record& record);

table report_table(std::string_view currency);
void add_row(table& to, std::string_view function, const storage::usage_totals& totals);

/// Functions as the Lambda API describes them, a line each.
table functions_table();
void add_row(table& to, const boost::json::object& function);

/// One function, a field a line.
table function_table(const boost::json::object& function);

} // namespace troupe::tools
