#include "actors/cluster/gate.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <fmt/core.h>

namespace troupe::cluster {

namespace {

/// Not an error: of two nodes one dials.
constexpr auto going_to_dial = " is going to dial {}";

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
  made->name_ = settings.node.name;
  door_settings wanted;
  wanted.mine = hello_of(settings, id);
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
    door_->dial(address.host, address.port, [this, address](const caf::error& problem) {
      if (problem)
        could_not_dial(address, problem);
      else
        told_.erase(address);
    });
  });
}

void gate::could_not_dial(const config::node_address& address, const caf::error& problem) {
  const auto what = what_of(problem);
  const bool dials_back = what.ends_with(fmt::format(going_to_dial, name_));
  if (auto& told = told_[address]; !dials_back && told != what) {
    told = what;
    spdlog::warn("no link with {}: {}", config::to_string(address), what);
  }
  if (told_.size() > limits::members_max)
    told_.clear();
  if (membership_)
    caf::anon_send(membership_, atom::refuse::value, address);
}

void gate::admit(std::map<std::string, uuid> present) {
  boost::asio::post(io_, [this, present = std::move(present)]() mutable { present_ = std::move(present); });
}

void gate::close() {
  boost::asio::post(io_, [this] { door_->close(); });
}

std::optional<std::string> gate::objection(const hello& who, const std::string& seen_at) {
  if (const auto found = present_.find(who.name); found != present_.end())
    return found->second == who.id
           ? fmt::format("nodes {} and {} are connected already", name_, who.name)
           : fmt::format("there is a node {} in the cluster already: give each node a name of its own", who.name);
  if (seen_at.empty() || who.name < name_)
    return std::nullopt;
  if (membership_)
    caf::anon_send(membership_, atom::again::value, acquaintance{who.name, address_of(who, seen_at)});
  return fmt::format("node {}", name_) + fmt::format(going_to_dial, who.name);
}

void gate::arrive(peer who) {
  if (!membership_)
    return;
  auto link = std::make_shared<peer_link>();
  link->name = who.who.name;
  link->id = who.who.id;
  link->address = address_of(who.who, who.address);
  link->socket = std::move(who.socket);
  link->dialled = who.came == direction::dialled;
  present_.emplace(link->name, link->id); // until the membership says what has become of it
  caf::anon_send(membership_, atom::join::value, peer_ptr{std::move(link)});
}

} // namespace troupe::cluster
