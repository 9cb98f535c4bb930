#include "actors/cluster/link.hpp"

#include "config/limits.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <set>

namespace troupe::cluster {

namespace {

constexpr size_t message_bytes_max = limits::deploy_body_bytes_max; ///< an archive is the largest part of one

/// CAF's own ask the descriptor for its peer's address, which a descriptor of a pump has not, and use its number as
/// their handle, which the next descriptor may have.
class door_scribe final : public caf::io::network::scribe_impl {
public:
  door_scribe(caf::io::network::default_multiplexer& multiplexer, int socket, const config::node_address& peer)
    : scribe_impl{multiplexer, socket}, socket_{socket}, peer_{peer} {
    static std::atomic<int64_t> next{int64_t{1} << 40}; // descriptors are smaller
    hdl_ = caf::io::connection_handle::from_int(next++);
    msg().handle = hdl_;
  }

  /// The socket ends with this, also where a guard has another descriptor of it.
  ~door_scribe() override { ::shutdown(socket_, SHUT_RDWR); }

  /// As much memory is made ready as the other side announces: the socket is shut for one that announces more than any
  /// message has, and nothing comes any more.
  void configure_read(caf::io::receive_policy::config wanted) override {
    if (wanted.second > message_bytes_max) {
      wanted.second = 1;
      ::shutdown(socket_, SHUT_RDWR);
    }
    scribe_impl::configure_read(wanted);
  }

  std::string addr() const override { return peer_.host; }
  uint16_t port() const override { return peer_.port; }

private:
  int socket_;
  config::node_address peer_;
};

constexpr auto link_time_max = std::chrono::seconds{5}; ///< for the other side to say what it publishes

/// The actor that speaks CAF's protocol with all other nodes.
caf::actor broker_of(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
}

/// The link's socket as the broker takes it. Once for each link.
caf::io::scribe_ptr make_scribe(caf::actor_system& system, peer_link& link) {
  auto& multiplexer = static_cast<caf::io::network::default_multiplexer&>(system.middleman().backend());
  return caf::make_counted<door_scribe>(multiplexer, link.socket.release(), link.address);
}

void accept(caf::actor_system& system, peer_link& link, const membership_actor& published) {
  auto handle = caf::actor_cast<caf::strong_actor_ptr>(published);
  auto signatures = system.message_types(published);
  caf::anon_send(broker_of(system), caf::publish_atom::value, make_scribe(system, link), published_port,
                 std::move(handle), std::move(signatures));
}

/// Asks the broker in a membership's name; ends with the answer.
void connect(caf::event_based_actor* self, const caf::io::scribe_ptr& scribe, const config::node_address& at,
             const membership_inner& mine) {
  self->request(broker_of(self->system()), link_time_max, caf::connect_atom::value, scribe, published_port)
    .then(
      [self, at, mine](caf::node_id&, caf::strong_actor_ptr& published, std::set<std::string>& offered) {
        const auto wanted = self->system().message_types(caf::detail::type_list<membership_actor>{});
        if (published != nullptr && self->system().assignable(offered, wanted))
          return self->send(mine, atom::join::value, at, caf::actor_cast<membership_actor>(published));
        spdlog::warn("{} has let this node in and speaks another protocol", config::to_string(at));
        self->send(mine, atom::refuse::value, at);
      },
      [self, at, mine](const caf::error&) { self->send(mine, atom::refuse::value, at); });
}

} // namespace

void make_link(caf::actor_system& system, peer_link& link, const membership_inner& mine) {
  link.guard.reset(::fcntl(link.socket.get(), F_DUPFD_CLOEXEC, 0));
  if (link.dialled_at)
    system.spawn(connect, make_scribe(system, link), *link.dialled_at, mine);
  else
    accept(system, link, caf::actor_cast<membership_actor>(mine));
}

void close_side_doors(caf::actor_system& system) {
  caf::anon_send_exit(caf::actor_cast<caf::actor>(system.config_serv()), caf::exit_reason::kill);
}

} // namespace troupe::cluster
