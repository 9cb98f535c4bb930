#include "http/tenant.hpp"

#include "config/errc.hpp"
#include "config/names.hpp"

namespace troupe::http {

caf::expected<std::string> tenant_of(const request& in) {
  if (in.tenant.empty())
    return std::string{default_tenant};
  if (!is_label(in.tenant))
    return make_error(errc::invalid_argument, "X-Troupe-Tenant must be " + std::string{label_rule});
  return in.tenant;
}

} // namespace troupe::http
