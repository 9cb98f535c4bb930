#pragma once

#include "actors/cluster/door.hpp"
#include "actors/cluster/membership.hpp"
#include "config/settings.hpp"

#include <boost/asio/io_context.hpp>

#include <map>
#include <memory>
#include <string>
#include <thread>

namespace troupe::cluster {

/// The door with a thread of its own, so that no stranger's connection costs the io thread anything, and the rule of
/// who is let in: nobody twice, one handler store, and of two nodes the one whose name comes first dials the other.
/// Tells a membership who has come in. Its methods may be called from any thread.
class gate {
public:
  /// Listens as the settings say. Fails as the door does.
  static caf::expected<std::unique_ptr<gate>> open(const config::settings& settings, const uuid& id);

  ~gate(); ///< ends all that is under way; links that were handed over stay
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;

  /// Tells this membership from now on.
  void report_to(membership_inner membership);

  void dial(const config::node_address& address);

  /// These are there: their doubles are turned away.
  void admit(std::map<std::string, presence> present);

  /// Nobody comes in any more. For good.
  void close();

private:
  gate() = default;
  std::optional<refusal> objection(const hello& who, const std::string& seen_at);
  std::string store_node() const;
  void arrive(peer who);
  void could_not_dial(const config::node_address& address, dial_end how, const caf::error& problem);

  boost::asio::io_context io_{1};
  std::unique_ptr<door> door_;
  std::thread thread_;
  // What follows belongs to that thread.
  std::string name_;
  config::node_roles roles_;
  membership_inner membership_;
  std::map<std::string, presence> present_;
  std::map<config::node_address, std::string> told_; ///< what the log has said last of those that were dialled
};

} // namespace troupe::cluster
