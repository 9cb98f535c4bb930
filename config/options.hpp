#pragma once

#include "config/option.hpp"

#include <span>
#include <string_view>

namespace troupe::config {

/// Every option of the program, by section. The one declaration from which the configuration file, the environment,
/// the command line, `config show`, the help and the reference page are made.
std::span<const option> options();

/// The option of that name (section.key), or null.
const option* find_option(std::string_view name);

/// The option whose name is most like `name`, for "did you mean"; null when none is near.
const option* nearest_option(std::string_view name);

/// What each table [tenant.NAME] of the configuration file may set. There is one for each tenant, so that neither the
/// environment nor the command line reaches them.
std::span<const tenant_option> tenant_options();

/// The same for these, whose names are tenant.key.
const tenant_option* find_tenant_option(std::string_view name);
const tenant_option* nearest_tenant_option(std::string_view name);

} // namespace troupe::config
