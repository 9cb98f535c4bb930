#include "actors/handler_store.hpp"

#include "config/errc.hpp"
#include "handlers/bundle/archive.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

namespace troupe {

namespace {

namespace fs = std::filesystem;
using self_pointer = handler_store_actor::stateful_pointer<handler_store_state>;

fs::path directory_of(const handler_store_state& st, const digest& bundle) {
  return handlers::unpacked_at(st.bundles, bundle);
}

bool is_named(const handler_store_state& st, const digest& bundle) {
  return std::any_of(st.functions.begin(), st.functions.end(),
                     [&](const auto& entry) { return entry.second->bundle == bundle; });
}

void remove_directory(const fs::path& directory) {
  if (const auto ec = handlers::remove_unpacked(directory))
    spdlog::warn("an unpacked bundle could not be removed: {}", ec.message());
}

/// Makes sure that the bundle is unpacked; `zip` is its archive, or empty when the database has it.
caf::error unpack(const handler_store_state& st, const digest& bundle, std::string_view zip) {
  const auto directory = directory_of(st, bundle);
  if (fs::exists(directory))
    return {};
  if (!zip.empty())
    return handlers::unpack(zip, directory);
  auto stored = st.store->bundle(bundle);
  if (!stored)
    return std::move(stored.error());
  return handlers::unpack(*stored, directory);
}

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// What a function may not ask for whatever its archive: `previous` is its present state, or null.
caf::error check_concurrency(const handler_store_state& st, const function_config& next,
                             const function_config* previous) {
  if (next.concurrency_reserved > next.concurrency_max)
    return make_error(errc::invalid_argument, "the reserved concurrency is larger than the maximum concurrency");
  const uint32_t before = previous != nullptr ? previous->concurrency_reserved : 0;
  if (next.concurrency_reserved <= before)
    return {};
  uint64_t others = 0;
  for (const auto& [key, function] : st.functions)
    others += function->config.concurrency_reserved;
  others -= before;
  if (others + next.concurrency_reserved <= st.reservable)
    return {};
  return make_error(errc::invalid_argument, "the reserved concurrency is more than the " + std::to_string(st.reservable)
                                              + " that functions of " + "this node may reserve, of which others have "
                                              + std::to_string(others));
}

/// Whether sandboxes of the one can run invocations of the other.
bool differ_in_concurrency_only(const function_config& a, function_config b) {
  b.concurrency_max = a.concurrency_max;
  b.concurrency_reserved = a.concurrency_reserved;
  return a == b;
}

/// Stores a new state of a function and tells everybody. An archive that cannot be unpacked or a state that cannot be
/// stored leaves everything as it was.
caf::result<function_version> put(self_pointer self, function_version next, std::string_view zip) {
  auto& st = self->state;
  next.modified_ms = now_ms();
  if (!zip.empty()) {
    if (zip.size() > limits::archive_bytes_max)
      return make_error(errc::payload_too_large, "the archive is larger than 50 MiB");
    next.bundle = digest::of(zip);
    next.bundle_bytes = zip.size();
  }
  if (auto err = unpack(st, next.bundle, zip))
    return err;
  if (auto err = st.store->put(next, zip)) {
    if (!is_named(st, next.bundle))
      remove_directory(directory_of(st, next.bundle));
    return err;
  }
  auto& known = st.functions[{next.config.tenant, next.config.name}];
  const auto previous = std::exchange(known, function_ptr{next});
  for (const auto& balancer : st.balancers)
    self->send(balancer, atom::update::value, known);
  for (const auto& worker : st.workers)
    self->send(worker, atom::update::value, known);
  if (previous && previous->revision != known->revision)
    for (const auto& worker : st.workers)
      self->send(worker, atom::retire::value, previous->revision, previous->bundle);
  return next;
}

template <class T>
void set_if(T& target, caf::optional<T>& value) {
  if (value)
    target = std::move(*value);
}

caf::error not_found(const std::string& name) {
  return make_error(errc::function_not_found, "Function not found: " + name);
}

caf::result<function_version> create(self_pointer self, function_config& config, const std::string& zip) {
  auto& st = self->state;
  if (st.functions.contains({config.tenant, config.name}))
    return make_error(errc::function_exists, "Function already exist: " + config.name);
  if (st.functions.size() >= limits::functions_max)
    return make_error(errc::too_many_requests, "the node holds as many functions as it may");
  if (zip.empty())
    return make_error(errc::invalid_argument, "the archive is empty");
  if (auto err = check_concurrency(st, config, nullptr))
    return err;
  function_version first;
  first.config = std::move(config);
  first.revision = uuid::make();
  return put(self, std::move(first), zip);
}

caf::result<function_version> change(self_pointer self, const std::string& tenant, const std::string& name,
                                     function_change& what) {
  const auto found = self->state.functions.find({tenant, name});
  if (found == self->state.functions.end())
    return not_found(name);
  const auto& present = *found->second;
  auto next = present;
  if (what.expected_revision && *what.expected_revision != next.revision)
    return make_error(errc::conflict, "The RevisionId provided does not match the latest RevisionId");
  set_if(next.config.handler, what.handler);
  set_if(next.config.runtime, what.runtime);
  set_if(next.config.description, what.description);
  set_if(next.config.role, what.role);
  set_if(next.config.memory_mb, what.memory_mb);
  set_if(next.config.timeout_s, what.timeout_s);
  set_if(next.config.environment, what.environment);
  set_if(next.config.ephemeral_storage_mb, what.ephemeral_storage_mb);
  set_if(next.config.concurrency_max, what.concurrency_max);
  set_if(next.config.concurrency_reserved, what.concurrency_reserved);
  set_if(next.config.network, what.network);
  set_if(next.config.idempotent, what.idempotent);
  if (auto err = check_concurrency(self->state, next.config, &present.config))
    return err;
  // How many may run is nothing to a sandbox: those that are warm stay so.
  const bool keeps_sandboxes = (what.concurrency_max || what.concurrency_reserved) && !what.zip
                            && differ_in_concurrency_only(next.config, present.config);
  if (!keeps_sandboxes)
    next.revision = uuid::make();
  return put(self, std::move(next), what.zip ? std::string_view{*what.zip} : std::string_view{});
}

caf::result<caf::unit_t> remove(self_pointer self, const std::string& tenant, const std::string& name) {
  auto& st = self->state;
  const auto found = st.functions.find({tenant, name});
  if (found == st.functions.end())
    return not_found(name);
  if (auto err = st.store->remove(tenant, name))
    return err;
  const auto previous = found->second;
  st.functions.erase(found);
  for (const auto& balancer : st.balancers)
    self->send(balancer, atom::remove::value, tenant, name);
  for (const auto& worker : st.workers) {
    self->send(worker, atom::remove::value, tenant, name);
    self->send(worker, atom::retire::value, previous->revision, previous->bundle);
  }
  return caf::unit;
}

std::vector<function_version> list(const handler_store_state& st, const std::string& tenant) {
  std::vector<function_version> found;
  for (auto it = st.functions.lower_bound({tenant, ""}); it != st.functions.end() && it->first.first == tenant; ++it)
    found.push_back(*it->second);
  return found;
}

caf::result<bundle_part> part(handler_store_state& st, const digest& bundle, uint64_t from) {
  if (st.served.first != bundle || st.served.second.empty()) {
    auto zip = st.store->bundle(bundle);
    if (!zip)
      return std::move(zip.error());
    st.served = {bundle, std::move(*zip)};
  }
  const std::string_view zip = st.served.second;
  if (from > zip.size())
    return make_error(errc::invalid_argument, "the archive is not that long");
  bundle_part result{std::string{zip.substr(from, limits::bundle_part_bytes)}, zip.size()};
  if (from + result.bytes.size() == zip.size())
    st.served = {}; // whoever asks next most likely wants another one
  return result;
}

/// Whoever follows anew may have followed another start of this node, and not have heard what was removed since.
template <class Follower>
void tell_all(self_pointer self, const Follower& who) {
  self->monitor(who);
  self->send(who, atom::all::value, true);
  for (const auto& [key, function] : self->state.functions)
    self->send(who, atom::update::value, function);
  self->send(who, atom::all::value, false);
}

/// Followers on other nodes may go, and come again by other handles.
void forget(handler_store_state& st, const caf::actor_addr& gone) {
  const auto is_gone = [&](const auto& follower) { return follower.address() == gone; };
  std::erase_if(st.balancers, is_gone);
  std::erase_if(st.workers, is_gone);
}

} // namespace

caf::error remove_stray_bundles(const fs::path& bundles, const std::vector<function_version>& functions) {
  std::set<std::string> wanted;
  for (const auto& function : functions)
    wanted.insert(function.bundle.hex());
  std::error_code ec;
  fs::create_directories(bundles, ec);
  for (const auto& entry : fs::directory_iterator{bundles, ec})
    if (!wanted.contains(entry.path().filename().string()))
      remove_directory(entry.path());
  return ec ? make_error(errc::io_error, "the bundles' directory cannot be used: " + ec.message()) : caf::error{};
}

uint32_t reservable_of(uint32_t sandboxes_max) noexcept {
  return sandboxes_max - std::min(sandboxes_max, std::max(1U, sandboxes_max / 10));
}

handler_store_actor::behavior_type handler_store(self_pointer self, std::shared_ptr<storage::database> db,
                                                 std::vector<function_version> functions, fs::path bundles,
                                                 uint32_t reservable) {
  auto& st = self->state;
  st.reservable = reservable;
  st.store.emplace(std::move(db));
  st.bundles = std::move(bundles);
  for (auto& function : functions) {
    const std::pair key{function.config.tenant, function.config.name};
    st.functions.emplace(key, function_ptr{std::move(function)});
  }
  self->set_down_handler([self](const caf::down_msg& down) { forget(self->state, down.source); });
  return {
    [self](atom::create, function_config& config, const std::string& zip) { return create(self, config, zip); },
    [self](atom::change, const std::string& tenant, const std::string& name, function_change& what) {
      return change(self, tenant, name, what);
    },
    [self](atom::get, const std::string& tenant, const std::string& name) -> caf::result<function_version> {
      const auto found = self->state.functions.find({tenant, name});
      if (found == self->state.functions.end())
        return not_found(name);
      return *found->second;
    },
    [self](atom::list, const std::string& tenant) { return list(self->state, tenant); },
    [self](atom::remove, const std::string& tenant, const std::string& name) { return remove(self, tenant, name); },
    [self](atom::bundle, const digest& bundle) -> caf::result<std::string> {
      auto zip = self->state.store->bundle(bundle);
      if (!zip)
        return std::move(zip.error());
      return std::move(*zip);
    },
    [self](atom::part, const digest& bundle, uint64_t from) { return part(self->state, bundle, from); },
    [self](atom::unpack, const digest& bundle) -> caf::result<std::string> {
      if (auto err = unpack(self->state, bundle, {}))
        return err;
      return directory_of(self->state, bundle).string();
    },
    [self](atom::follow, const balancer_actor& balancer) -> caf::result<caf::unit_t> {
      self->state.balancers.push_back(balancer);
      tell_all(self, balancer);
      return caf::unit;
    },
    [self](atom::follow, const worker_actor& worker) -> caf::result<caf::unit_t> {
      self->state.workers.push_back(worker);
      tell_all(self, worker);
      return caf::unit;
    },
    [self](atom::release, const digest& bundle) {
      if (!is_named(self->state, bundle))
        remove_directory(directory_of(self->state, bundle));
    },
  };
}

} // namespace troupe
