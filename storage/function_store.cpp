#include "storage/function_store.hpp"

#include "storage/commit.hpp"
#include "storage/keys.hpp"
#include "storage/read_view.hpp"
#include "storage/status.hpp"
#include "storage/values.hpp"

#include "config/errc.hpp"

#include <rocksdb/db.h>

#include <optional>

namespace troupe::storage {

namespace {

/// The function under `key`; nullopt when there is none.
caf::expected<std::optional<function_version>> find(database& db, const std::string& key) {
  std::string value;
  const auto status = db.db().Get({}, db.at(family::functions), key, &value);
  if (status.IsNotFound())
    return std::optional<function_version>{};
  if (auto err = to_error(status, "reading a function"))
    return err;
  auto function = decode_function(key, value);
  if (!function)
    return function.error();
  return std::optional<function_version>{std::move(*function)};
}

/// Calls `visit` with each function and its key, until it returns false.
template <class Visit>
caf::error for_each_function(database& db, Visit visit) {
  const read_view view{db};
  const auto all = view.iterate(family::functions);
  for (all->SeekToFirst(); all->Valid(); all->Next()) {
    auto function = decode_function(all->key().ToStringView(), all->value().ToStringView());
    if (!function)
      return function.error();
    if (!visit(all->key().ToStringView(), *function))
      return caf::none;
  }
  return to_error(all->status(), "reading the functions");
}

/// Adds to `batch` the removal of `bundle`, unless a function other than the one under `key` names it.
caf::error drop_bundle(database& db, std::string_view key, const digest& bundle, rocksdb::WriteBatch& batch) {
  bool shared = false;
  auto err = for_each_function(db, [&](std::string_view other, const function_version& function) {
    shared = other != key && function.bundle == bundle;
    return !shared;
  });
  if (err || shared)
    return err;
  return to_error(batch.Delete(db.at(family::bundles), bundle_key(bundle)), "removing an archive");
}

caf::error no_such_function(std::string_view name) {
  return make_error(errc::function_not_found, "no function is named " + std::string{name});
}

/// That an archive of that digest is stored. Reads it whole: there is no cheaper certain answer.
caf::error check_stored(database& db, const digest& bundle) {
  rocksdb::PinnableSlice ignored;
  const auto status = db.db().Get({}, db.at(family::bundles), bundle_key(bundle), &ignored);
  if (status.IsNotFound())
    return make_error(errc::invalid_argument, "the function names an archive that is not stored");
  return to_error(status, "reading an archive");
}

caf::error check(const function_version& function, std::string_view zip) {
  if (!fits_key(function.config.tenant) || !fits_key(function.config.name))
    return make_error(errc::invalid_argument, "a function's name and tenant hold no zero bytes");
  if (!zip.empty() && digest::of(zip) != function.bundle)
    return make_error(errc::invalid_argument, "the function names another archive than the one beside it");
  return caf::none;
}

} // namespace

function_store::function_store(std::shared_ptr<database> db) : db_{std::move(db)} {}

caf::error function_store::put(const function_version& function, std::string_view zip) {
  if (auto err = check(function, zip))
    return err;
  const auto key = function_key(function.config.tenant, function.config.name);
  const auto before = find(*db_, key);
  if (!before)
    return before.error();
  const bool same_bundle = before->has_value() && (*before)->bundle == function.bundle;
  rocksdb::WriteBatch batch;
  if (!same_bundle) {
    if (auto err = zip.empty() ? check_stored(*db_, function.bundle)
                               : to_error(batch.Put(db_->at(family::bundles), bundle_key(function.bundle), zip),
                                          "adding an archive"))
      return err;
    if (before->has_value())
      if (auto err = drop_bundle(*db_, key, (*before)->bundle, batch))
        return err;
  }
  std::string value;
  encode(value, function);
  if (auto err = to_error(batch.Put(db_->at(family::functions), key, value), "adding a function"))
    return err;
  return commit(*db_, batch, survives::power_cut, "storing a function");
}

caf::expected<function_version> function_store::get(std::string_view tenant, std::string_view name) const {
  auto found = find(*db_, function_key(tenant, name));
  if (!found)
    return found.error();
  if (!*found)
    return no_such_function(name);
  return std::move(**found);
}

caf::error function_store::remove(std::string_view tenant, std::string_view name) {
  const auto key = function_key(tenant, name);
  const auto found = find(*db_, key);
  if (!found)
    return found.error();
  if (!*found)
    return no_such_function(name);
  rocksdb::WriteBatch batch;
  if (auto err = to_error(batch.Delete(db_->at(family::functions), key), "removing a function"))
    return err;
  if (auto err = drop_bundle(*db_, key, (*found)->bundle, batch))
    return err;
  return commit(*db_, batch, survives::power_cut, "removing a function");
}

caf::expected<std::vector<function_version>> function_store::all() const {
  std::vector<function_version> functions;
  auto err = for_each_function(*db_, [&functions](std::string_view, function_version& function) {
    functions.push_back(std::move(function));
    return true;
  });
  if (err)
    return err;
  return functions;
}

caf::expected<std::string> function_store::bundle(const digest& id) const {
  std::string zip;
  const auto status = db_->db().Get({}, db_->at(family::bundles), bundle_key(id), &zip);
  if (status.IsNotFound())
    return make_error(errc::function_not_found, "no archive has the digest " + id.hex());
  if (auto err = to_error(status, "reading an archive"))
    return err;
  if (digest::of(std::string_view{zip}) != id)
    return make_error(errc::storage_damaged, "the database is damaged: an archive does not match its digest");
  return zip;
}

} // namespace troupe::storage
