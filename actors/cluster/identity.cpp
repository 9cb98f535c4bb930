#include "actors/cluster/identity.hpp"

#include <caf/actor_system.hpp>
#include <caf/node_id.hpp>

#include <algorithm>

/// CAF 0.17 lets a class of this name set a system's id, and has none of that name itself.
namespace caf::net {

class middleman final : public actor_system::module {
public:
  middleman(actor_system& system, node_id id) : system_{system}, id_{std::move(id)} {}

  void start() override {}
  void stop() override {}
  /// After that of caf::io, whose module goes before this one, and before anything is started.
  void init(actor_system_config&) override { system_.node_.swap(id_); }
  id_t id() const override { return network_manager; }
  void* subtype_ptr() override { return this; }

private:
  actor_system& system_;
  node_id id_;
};

} // namespace caf::net

namespace troupe::cluster {

void set_identity(caf::actor_system_config& config, const uuid& id) {
  caf::node_id::default_data::host_id_type host{};
  std::ranges::copy(id.bytes, host.begin());
  config.module_factories.emplace_back([host](caf::actor_system& system) -> caf::actor_system::module* {
    return new caf::net::middleman{system, caf::make_node_id(1, host)};
  });
}

uuid start_of(const caf::node_id& node) {
  uuid id;
  const auto* data = node ? dynamic_cast<const caf::node_id::default_data*>(&*node) : nullptr;
  if (data == nullptr || data->process_id() != 1)
    return id;
  const auto host = data->host_id();
  if (std::any_of(host.begin() + id.bytes.size(), host.end(), [](uint8_t byte) { return byte != 0; }))
    return id;
  std::copy_n(host.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

} // namespace troupe::cluster
