#include "actors/cluster/link.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <atomic>

namespace troupe::cluster {

namespace {

/// CAF's own ask the descriptor for its peer's address, which a descriptor of a pump has not, and use its number as
/// their handle, which the next descriptor may have.
class door_scribe final : public caf::io::network::scribe_impl {
public:
  door_scribe(caf::io::network::default_multiplexer& multiplexer, int socket, const config::node_address& peer)
    : scribe_impl{multiplexer, socket}, peer_{peer} {
    static std::atomic<int64_t> next{int64_t{1} << 40}; // descriptors are smaller
    hdl_ = caf::io::connection_handle::from_int(next++);
    msg().handle = hdl_;
  }

  std::string addr() const override { return peer_.host; }
  uint16_t port() const override { return peer_.port; }

private:
  config::node_address peer_;
};

} // namespace

caf::actor broker_of(caf::actor_system& system) {
  return system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
}

caf::io::scribe_ptr make_scribe(caf::actor_system& system, peer_link& link) {
  auto& multiplexer = static_cast<caf::io::network::default_multiplexer&>(system.middleman().backend());
  return caf::make_counted<door_scribe>(multiplexer, link.socket.release(), link.address);
}

void accept_link(caf::actor_system& system, peer_link& link, const membership_actor& published) {
  auto handle = caf::actor_cast<caf::strong_actor_ptr>(published);
  auto signatures = system.message_types(published);
  caf::anon_send(broker_of(system), caf::publish_atom::value, make_scribe(system, link), published_port,
                 std::move(handle), std::move(signatures));
}

} // namespace troupe::cluster
