#include "actors/cluster/gate.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <boost/asio/post.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace troupe::cluster {

namespace {

config::node_address address_of(const hello& who, const std::string& seen_at) {
  return {who.address.empty() ? seen_at : who.address, who.port};
}

hello hello_of(const config::settings& settings, const uuid& id) {
  hello mine;
  mine.cluster = settings.cluster.name;
  mine.name = settings.node.name;
  mine.version = TROUPE_VERSION;
  mine.roles = config::parse_roles(settings.node.roles).value(); // checked when the settings were read
  mine.id = id;
  mine.address = settings.cluster.advertise;
  mine.port = settings.cluster.port;
  return mine;
}

} // namespace

caf::expected<std::unique_ptr<gate>> gate::open(const config::settings& settings, const uuid& id) {
  std::unique_ptr<gate> made{new gate};
  auto* self = made.get();
  door_settings wanted;
  wanted.mine = hello_of(settings, id);
  made->name_ = wanted.mine.name;
  made->roles_ = wanted.mine.roles;
  if (!settings.cluster.tls_certificate.empty())
    wanted.tls = tls_files{settings.cluster.tls_certificate, settings.cluster.tls_key, settings.cluster.tls_ca};
  door_events events;
  events.admit = [self](const hello& who, const std::string& seen_at) { return self->objection(who, seen_at); };
  events.arrived = [self](peer who) { self->arrive(std::move(who)); };
  auto opened = door::make(made->io_, std::move(wanted), std::move(events));
  if (!opened)
    return std::move(opened.error());
  made->door_ = std::move(*opened);
  if (auto problem = made->door_->listen(settings.cluster.address, settings.cluster.port))
    return problem;
  made->thread_ = std::thread{[self] {
    const auto stay = boost::asio::make_work_guard(self->io_);
    self->io_.run();
  }};
  return made;
}

gate::~gate() {
  io_.stop();
  if (thread_.joinable())
    thread_.join();
}

void gate::report_to(membership_inner membership) {
  boost::asio::post(io_, [this, membership = std::move(membership)] { membership_ = membership; });
}

void gate::dial(const config::node_address& address) {
  boost::asio::post(io_, [this, address] {
    door_->dial(address.host, address.port, [this, address](dial_end how, const caf::error& problem) {
      if (how != dial_end::linked)
        could_not_dial(address, how, problem);
      else
        told_.erase(address);
    });
  });
}

void gate::could_not_dial(const config::node_address& address, dial_end how, const caf::error& problem) {
  const auto what = what_of(problem);
  if (how == dial_end::later) {
    told_.erase(address); // It is there, and will come.
  } else if (auto& told = told_[address]; told != what) {
    told = what;
    spdlog::warn("no link with {}: {}", config::to_string(address), what);
  }
  if (told_.size() > limits::members_max)
    told_.clear();
  if (membership_)
    caf::anon_send(membership_, atom::refuse::value, address);
}

void gate::admit(std::map<std::string, presence> present) {
  boost::asio::post(io_, [this, present = std::move(present)]() mutable { present_ = std::move(present); });
}

void gate::close() {
  boost::asio::post(io_, [this] { door_->close(); });
}

std::optional<refusal> gate::objection(const hello& who, const std::string& seen_at) {
  const auto refuse = [](std::string why) { return refusal{frame_kind::refusal, std::move(why)}; };
  if (const auto found = present_.find(who.name); found != present_.end() && found->second.id == who.id)
    return refusal{frame_kind::later, fmt::format("nodes {} and {} are connected already", name_, who.name)};
  if (present_.contains(who.name))
    return refuse(fmt::format("there is a node {} in the cluster already: give each node a name of its own", who.name));
  const auto same_id = [&who](const auto& each) { return each.second.id == who.id; };
  if (const auto found = std::ranges::find_if(present_, same_id); found != present_.end())
    return refuse(fmt::format("{} and {} have the same id: start one of them anew", who.name, found->first));
  if (who.roles.handler_store)
    if (const auto keeper = store_node(); !keeper.empty())
      return refuse(
        fmt::format("node {0} keeps the functions of this cluster, and {1} would, too: only one node may have the "
                    "role handler-store, so take it out of {1}'s node.roles",
                    keeper, who.name));
  if (present_.size() + 1 >= limits::members_max)
    return refuse(fmt::format("the cluster of {} has {} members, and may have no more", name_, limits::members_max));
  if (seen_at.empty() || who.name < name_)
    return std::nullopt;
  if (membership_)
    caf::anon_send(membership_, atom::again::value, acquaintance{who.name, address_of(who, seen_at)});
  return refusal{frame_kind::later, fmt::format("node {} is going to dial {}", name_, who.name)};
}

/// The node that keeps the functions, as far as is known here; empty when there is none.
std::string gate::store_node() const {
  if (roles_.handler_store)
    return name_;
  const auto found = std::ranges::find_if(present_, [](const auto& each) { return each.second.roles.handler_store; });
  return found == present_.end() ? std::string{} : found->first;
}

void gate::arrive(peer who) {
  if (!membership_)
    return;
  auto link = std::make_shared<peer_link>();
  link->name = who.who.name;
  link->id = who.who.id;
  link->roles = who.who.roles;
  link->version = who.who.version;
  link->address = address_of(who.who, who.address);
  link->socket = std::move(who.socket);
  if (who.came == direction::dialled)
    link->dialled_at = who.dialled_at;
  present_.emplace(link->name, presence{link->id, link->roles}); // until the membership says what has become of it
  caf::anon_send(membership_, atom::join::value, peer_ptr{std::move(link)});
}

} // namespace troupe::cluster
