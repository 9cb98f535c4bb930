#pragma once

#include "http/request_reader.hpp"

#include <caf/expected.hpp>

#include <string>

namespace troupe::http {

/// Whose functions and records a request is about: the one place that says so. Until requests are signed it is whom the
/// X-Troupe-Tenant field names, or default_tenant without one. Fails with invalid_argument when that is no name.
caf::expected<std::string> tenant_of(const request& in);

} // namespace troupe::http
