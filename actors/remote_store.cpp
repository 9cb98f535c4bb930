#include "actors/remote_store.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/bundle/archive.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <type_traits>
#include <utility>

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
  return handlers::unpacked_at(st.bundles, bundle);
}

/// Nothing, when the store was lost meanwhile: it has been answered then.
template <class T>
void answer(self_pointer self, uint64_t question, T what) {
  if (auto open = self->state.questions.extract(question); !open.empty())
    open.mapped().deliver(std::move(what));
}

/// Asks the store in the name of whoever asked here, and fails when it is lost before it has answered: CAF answers
/// nothing that was asked of a node that is lost.
template <class R, class... Ts>
caf::result<R> hand_on(self_pointer self, Ts... message) {
  auto& st = self->state;
  if (!st.store)
    return unreachable();
  auto promise = self->make_response_promise<R>();
  const auto number = ++st.last_question;
  st.questions.emplace(number, promise);
  const auto fail = [self, number](caf::error& why) { answer(self, number, std::move(why)); };
  // As an untyped actor: CAF 0.17 makes an empty message of a unit_t, which a typed answer cannot match.
  auto asked = self->request(caf::actor_cast<caf::actor>(st.store), caf::infinite, std::move(message)...);
  if constexpr (std::is_same_v<R, caf::unit_t>)
    asked.then([self, number] { answer(self, number, caf::unit); }, fail);
  else
    asked.then([self, number](R& result) { answer(self, number, std::move(result)); }, fail);
  return promise;
}

void follow(self_pointer self) {
  auto& st = self->state;
  for (const auto& balancer : st.balancers)
    caf::anon_send(st.store, atom::follow::value, balancer);
  if (st.worker)
    caf::anon_send(st.store, atom::follow::value, st.worker);
}

// -- bundles ---------------------------------------------------------------------------------------------------------

fs::path archive_of(const remote_store_state& st, const digest& bundle) {
  return st.bundles / (bundle.hex() + ".zip");
}

/// For peers that need it while the store is away. Without it they wait for that.
void keep_archive(const remote_store_state& st, const digest& bundle, const std::string& zip) {
  const auto path = archive_of(st, bundle);
  std::ofstream file{path, std::ios::binary};
  file.write(zip.data(), static_cast<std::streamsize>(zip.size()));
  file.close();
  if (file)
    return;
  spdlog::warn("a bundle's archive could not be kept for other nodes");
  std::error_code ignored; // What is not there cannot be given away.
  fs::remove(path, ignored);
}

/// From this node's own archives: a peer that asks has asked the store already.
caf::result<bundle_part> part(const remote_store_state& st, const digest& bundle, uint64_t from) {
  const auto path = archive_of(st, bundle);
  std::error_code absent;
  const auto total = fs::file_size(path, absent);
  if (absent)
    return make_error(errc::unavailable, "this node does not have the bundle");
  if (from > total)
    return make_error(errc::invalid_argument, "the archive is not that long");
  bundle_part result{std::string(std::min<uint64_t>(total - from, limits::bundle_part_bytes), '\0'), total};
  std::ifstream file{path, std::ios::binary};
  file.seekg(static_cast<std::streamoff>(from));
  file.read(result.bytes.data(), static_cast<std::streamsize>(result.bytes.size()));
  if (!file)
    return make_error(errc::io_error, "the bundle's archive cannot be read");
  return result;
}

void arrive(self_pointer self, const digest& bundle, caf::error problem) {
  auto& st = self->state;
  auto arrived = std::move(st.arrivals.extract(bundle).mapped());
  if (!problem)
    problem = handlers::unpack(arrived.zip, directory_of(st, bundle));
  if (problem)
    spdlog::error("bundle {} could not be had: {}", bundle.hex(), what_of(problem));
  else
    keep_archive(st, bundle, arrived.zip);
  for (auto& promise : arrived.waiting) {
    if (problem)
      promise.deliver(problem);
    else
      promise.deliver(directory_of(st, bundle).string());
  }
}

/// The store, or else a peer; empty when all have been asked.
handler_store_actor source_for(const remote_store_state& st, const remote_store_state::arrival& arriving) {
  const auto is_new = [&](const auto& who) {
    return who && std::ranges::find(arriving.asked, who) == arriving.asked.end();
  };
  if (is_new(st.store))
    return st.store;
  const auto found = std::ranges::find_if(st.peers, is_new);
  return found == st.peers.end() ? handler_store_actor{} : *found;
}

void fetch_rest(self_pointer self, const digest& bundle);

/// Asks the next one who may have it. When nobody is left the bundle waits for the store, or is given up for `why`.
void fetch(self_pointer self, const digest& bundle, caf::error why) {
  auto& st = self->state;
  auto& arriving = st.arrivals.at(bundle);
  arriving.source = source_for(st, arriving);
  if (arriving.source) {
    arriving.asked.push_back(arriving.source);
    arriving.until = {};
    fetch_rest(self, bundle);
  } else if (st.store) {
    arrive(self, bundle, std::move(why));
  } else if (arriving.until == std::chrono::steady_clock::time_point{}) {
    arriving.until = self->clock().now() + patience;
    self->delayed_send(self, patience, atom::tick::value);
  }
}

void take_part(self_pointer self, const digest& bundle, const bundle_part& part) {
  auto& zip = self->state.arrivals.at(bundle).zip;
  zip += part.bytes;
  const bool is_whole = zip.size() == part.total;
  if (is_whole && digest::of(zip) == bundle)
    return arrive(self, bundle, {});
  if (!is_whole && !part.bytes.empty() && part.total <= limits::archive_bytes_max)
    return fetch_rest(self, bundle);
  zip.clear(); // another one may have it as it should be
  fetch(self, bundle, make_error(errc::io_error, "what has arrived is not the bundle that was asked for"));
}

void fetch_rest(self_pointer self, const digest& bundle) {
  const auto& arriving = self->state.arrivals.at(bundle);
  // An answer counts as long as nobody else has been asked since.
  const auto still_asks = [self, bundle, source = arriving.source, from = arriving.zip.size()] {
    const auto found = self->state.arrivals.find(bundle);
    return found != self->state.arrivals.end() && found->second.source == source && found->second.zip.size() == from;
  };
  self->request(arriving.source, caf::infinite, atom::part::value, bundle, uint64_t{arriving.zip.size()})
    .then(
      [self, bundle, still_asks](const bundle_part& part) {
        if (still_asks())
          take_part(self, bundle, part);
      },
      [self, bundle, still_asks](caf::error& why) {
        if (still_asks())
          fetch(self, bundle, std::move(why));
      });
}

caf::result<std::string> unpack(self_pointer self, const digest& bundle) {
  auto& st = self->state;
  if (fs::exists(directory_of(st, bundle)))
    return directory_of(st, bundle).string();
  auto promise = self->make_response_promise<std::string>();
  auto& arriving = st.arrivals[bundle];
  arriving.waiting.push_back(promise);
  if (arriving.waiting.size() == 1)
    fetch(self, bundle, unreachable());
  return promise;
}

/// Somebody has come or gone. CAF answers nothing that was asked of a node that is lost: another one is asked.
void look_for_sources(self_pointer self) {
  auto& st = self->state;
  std::vector<digest> orphaned;
  for (auto& [bundle, arriving] : st.arrivals) {
    const auto& source = arriving.source;
    if (source && (source == st.store || std::ranges::find(st.peers, source) != st.peers.end()))
      continue;
    arriving.asked.clear();
    orphaned.push_back(bundle);
  }
  for (const auto& bundle : orphaned)
    fetch(self, bundle, unreachable());
}

void give_up_arrivals(self_pointer self) {
  std::vector<digest> late;
  const auto now = self->clock().now();
  for (const auto& [bundle, arriving] : self->state.arrivals)
    if (!arriving.source && arriving.until <= now)
      late.push_back(bundle);
  for (const auto& bundle : late)
    arrive(self, bundle, unreachable());
}

// -- who is there ----------------------------------------------------------------------------------------------------

void look_for_store(self_pointer self, const std::vector<member>& all) {
  auto& st = self->state;
  st.peers.clear();
  for (const auto& each : all)
    if (each.bundles && !each.store && each.bundles.address() != self->address())
      st.peers.push_back(each.bundles);
  const auto found = std::ranges::find_if(all, [](const member& each) { return bool{each.store}; });
  const auto present = found == all.end() ? handler_store_actor{} : found->store;
  if (present != st.store) {
    st.store = present;
    for (auto& [number, promise] : std::exchange(st.questions, {}))
      promise.deliver(unreachable());
    if (st.store) {
      spdlog::info("functions are kept by node {}", found->name);
      follow(self);
    } else {
      spdlog::warn("the node that keeps the functions is gone: those that are known here go on");
    }
  }
  look_for_sources(self);
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
    [self](atom::part, const digest& bundle, uint64_t from) { return part(self->state, bundle, from); },
    [self](atom::unpack, const digest& bundle) { return unpack(self, bundle); },
    [self](atom::follow, const balancer_actor& balancer) -> caf::result<caf::unit_t> {
      self->state.balancers.push_back(balancer);
      if (self->state.store)
        caf::anon_send(self->state.store, atom::follow::value, balancer);
      return caf::unit;
    },
    [self](atom::follow, const worker_actor& worker) -> caf::result<caf::unit_t> {
      auto& st = self->state;
      st.worker = worker; // what was before has ended
      if (st.store)
        caf::anon_send(st.store, atom::follow::value, worker);
      return caf::unit;
    },
    [self](atom::release, const digest& bundle) {
      std::error_code ec = handlers::remove_unpacked(directory_of(self->state, bundle));
      if (!ec)
        fs::remove(archive_of(self->state, bundle), ec);
      if (ec)
        spdlog::warn("an unpacked bundle could not be removed: {}", ec.message());
    },
    [self](atom::members, const std::vector<member>& all) { look_for_store(self, all); },
    [](atom::announce, const member&) {}, // loads are nothing to it
    [self](atom::tick) { give_up_arrivals(self); },
  };
}

} // namespace troupe
