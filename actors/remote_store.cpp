#include "actors/remote_store.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace troupe {

namespace {

namespace fs = std::filesystem;
using self_pointer = remote_store_actor::stateful_pointer<remote_store_state>;
using namespace std::chrono_literals;

constexpr auto patience = 10s; ///< with a store that is away, for who needs a bundle

caf::error unreachable() {
  return make_error(errc::unavailable, "the node that keeps the functions cannot be reached: try again later");
}

fs::path directory_of(const remote_store_state& st, const digest& bundle) {
  return st.bundles / bundle.hex();
}

/// Asks the store in the name of whoever asked here.
template <class R, class... Ts>
caf::result<R> hand_on(self_pointer self, Ts... message) {
  if (!self->state.store)
    return unreachable();
  return self->delegate(self->state.store, std::move(message)...);
}

void follow(self_pointer self) {
  auto& st = self->state;
  for (const auto& balancer : st.balancers)
    caf::anon_send(st.store, atom::follow::value, balancer);
  for (const auto& worker : st.workers)
    caf::anon_send(st.store, atom::follow::value, worker);
}

// -- bundles ---------------------------------------------------------------------------------------------------------

void arrive(self_pointer self, const digest& bundle, caf::error problem) {
  auto& st = self->state;
  auto arrived = std::move(st.arrivals.extract(bundle).mapped());
  if (!problem && digest::of(arrived.zip) != bundle)
    problem = make_error(errc::io_error, "a bundle has arrived that is not the one that was asked for");
  if (!problem)
    problem = handlers::unpack(arrived.zip, directory_of(st, bundle));
  if (problem)
    spdlog::error("bundle {} could not be had: {}", bundle.hex(), what_of(problem));
  for (auto& promise : arrived.waiting) {
    if (problem)
      promise.deliver(problem);
    else
      promise.deliver(directory_of(st, bundle).string());
  }
}

void fetch_rest(self_pointer self, const digest& bundle) {
  auto& st = self->state;
  const uint64_t from = st.arrivals.at(bundle).zip.size();
  self->request(st.store, caf::infinite, atom::part::value, bundle, from)
    .then(
      [self, bundle, from](const bundle_part& part) {
        const auto found = self->state.arrivals.find(bundle);
        if (found == self->state.arrivals.end() || found->second.zip.size() != from)
          return; // given up meanwhile, or begun again
        auto& zip = found->second.zip;
        zip += part.bytes;
        if (zip.size() == part.total)
          arrive(self, bundle, {});
        else if (part.bytes.empty() || part.total > limits::archive_bytes_max)
          arrive(self, bundle, make_error(errc::io_error, "the archive does not arrive as it was announced"));
        else
          fetch_rest(self, bundle);
      },
      [self, bundle](caf::error& why) {
        if (self->state.arrivals.contains(bundle))
          arrive(self, bundle, std::move(why));
      });
}

void wait_for_store(self_pointer self, remote_store_state::arrival& arriving) {
  arriving.until = self->clock().now() + patience;
  self->delayed_send(self, patience, atom::tick::value);
}

caf::result<std::string> unpack(self_pointer self, const digest& bundle) {
  auto& st = self->state;
  if (fs::exists(directory_of(st, bundle)))
    return directory_of(st, bundle).string();
  auto promise = self->make_response_promise<std::string>();
  auto& arriving = st.arrivals[bundle];
  arriving.waiting.push_back(promise);
  if (arriving.waiting.size() == 1) {
    if (st.store)
      fetch_rest(self, bundle);
    else
      wait_for_store(self, arriving);
  }
  return promise;
}

/// All of them, from their beginning.
void fetch_arrivals(self_pointer self) {
  for (auto& [bundle, arriving] : self->state.arrivals) {
    arriving.zip.clear();
    fetch_rest(self, bundle);
  }
}

/// CAF answers nothing that was asked of a node that is lost.
void hold_arrivals(self_pointer self) {
  for (auto& [bundle, arriving] : self->state.arrivals)
    wait_for_store(self, arriving);
}

void give_up_arrivals(self_pointer self) {
  std::vector<digest> late;
  const auto now = self->clock().now();
  for (const auto& [bundle, arriving] : self->state.arrivals)
    if (!self->state.store && arriving.until <= now)
      late.push_back(bundle);
  for (const auto& bundle : late)
    arrive(self, bundle, unreachable());
}

// -- who is there ----------------------------------------------------------------------------------------------------

void look_for_store(self_pointer self, const std::vector<member>& all) {
  auto& st = self->state;
  const auto found = std::ranges::find_if(all, [](const member& each) { return bool{each.store}; });
  const auto present = found == all.end() ? handler_store_actor{} : found->store;
  if (present == st.store)
    return;
  st.store = present;
  if (st.store) {
    spdlog::info("functions are kept by node {}", found->name);
    follow(self);
    fetch_arrivals(self);
  } else {
    hold_arrivals(self);
    spdlog::warn("the node that keeps the functions is gone: those that are known here go on");
  }
}

} // namespace

remote_store_actor::behavior_type remote_store(self_pointer self, fs::path bundles) {
  self->state.bundles = std::move(bundles);
  return {
    [self](atom::create, const function_config& config, const std::string& zip) {
      return hand_on<function_version>(self, atom::create::value, config, zip);
    },
    [self](atom::change, const std::string& tenant, const std::string& name, const function_change& what) {
      return hand_on<function_version>(self, atom::change::value, tenant, name, what);
    },
    [self](atom::get, const std::string& tenant, const std::string& name) {
      return hand_on<function_version>(self, atom::get::value, tenant, name);
    },
    [self](atom::list, const std::string& tenant) {
      return hand_on<std::vector<function_version>>(self, atom::list::value, tenant);
    },
    [self](atom::remove, const std::string& tenant, const std::string& name) {
      return hand_on<caf::unit_t>(self, atom::remove::value, tenant, name);
    },
    [self](atom::bundle, const digest& bundle) { return hand_on<std::string>(self, atom::bundle::value, bundle); },
    [self](atom::part, const digest& bundle, uint64_t from) {
      return hand_on<bundle_part>(self, atom::part::value, bundle, from);
    },
    [self](atom::unpack, const digest& bundle) { return unpack(self, bundle); },
    [self](atom::follow, const balancer_actor& balancer) -> caf::result<caf::unit_t> {
      self->state.balancers.push_back(balancer);
      if (self->state.store)
        caf::anon_send(self->state.store, atom::follow::value, balancer);
      return caf::unit;
    },
    [self](atom::follow, const worker_actor& worker) -> caf::result<caf::unit_t> {
      auto& st = self->state;
      st.workers = {worker}; // a node has one; what was before has ended
      if (st.store)
        caf::anon_send(st.store, atom::follow::value, worker);
      return caf::unit;
    },
    [self](atom::release, const digest& bundle) {
      std::error_code ec;
      fs::remove_all(directory_of(self->state, bundle), ec);
      if (ec)
        spdlog::warn("an unpacked bundle could not be removed: {}", ec.message());
    },
    [self](atom::members, const std::vector<member>& all) { look_for_store(self, all); },
    [self](atom::tick) { give_up_arrivals(self); },
  };
}

} // namespace troupe
