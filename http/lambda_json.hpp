#pragma once

#include "storage/records.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

/// Functions as clients of the Lambda API read them.
namespace troupe::http {

/// The machine that this program was built for, in AWS's words.
#if defined(__aarch64__)
inline constexpr std::string_view architecture = "arm64";
#else
inline constexpr std::string_view architecture = "x86_64";
#endif

/// A FunctionConfiguration.
boost::json::object function_configuration(const storage::function_version& function);

/// What GetFunctionConcurrency answers, and PutFunctionConcurrency: nothing in it when nothing is reserved.
boost::json::object function_concurrency(const storage::function_version& function);

/// The answer to GetFunction; `location` is where the archive can be had.
boost::json::object function_document(const storage::function_version& function, std::string_view location);

} // namespace troupe::http
