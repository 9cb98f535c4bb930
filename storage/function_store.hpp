#pragma once

#include "storage/database.hpp"
#include "storage/records.hpp"

#include <caf/expected.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::storage {

/// Functions and their bundles. Every write is synced before it returns, and a function never names a bundle that is
/// not stored: both are written in one batch.
/// Thread safety: reads may come from every thread, `put` and `remove` from one at a time.
class function_store {
public:
  explicit function_store(std::shared_ptr<database> db);

  /// Stores `function`, and its archive unless `zip` is empty (then the bundle has to be there already: an update of
  /// the configuration alone). The bundle that it named before is removed when no function names it any more. Fails
  /// with invalid_argument when the digest is not that of `zip`, or no such bundle is stored.
  caf::error put(const function_version& function, std::string_view zip);

  /// Fails with function_not_found.
  caf::expected<function_version> get(std::string_view tenant, std::string_view name) const;

  /// Removes the function, and its bundle when no other names it. Fails with function_not_found.
  caf::error remove(std::string_view tenant, std::string_view name);

  /// All functions of all tenants, by tenant and name.
  caf::expected<std::vector<function_version>> all() const;

  /// The archive of that digest. Fails with function_not_found, or storage_damaged when it does not match.
  caf::expected<std::string> bundle(const digest& id) const;

private:
  std::shared_ptr<database> db_;
};

} // namespace troupe::storage
