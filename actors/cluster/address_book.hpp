#pragma once

#include "actors/cluster/messages.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Where a node tries to reach others, with pauses that double. Of two nodes the one whose name comes first dials; the
/// seeds are dialled in any case, since it is not known who is there, and are never forgotten. Pure: time comes in.
class address_book {
public:
  using time_point = std::chrono::steady_clock::time_point;

  address_book() = default;
  address_book(std::string self, std::vector<config::node_address> seeds);

  bool dials(std::string_view other) const { return self_ < other; }

  /// Somebody has seen a node there. Nothing new when it is none that this node dials, when it could be no node's, or
  /// when there are too many: a node can name any number. Says whether it is new.
  bool learn(const acquaintance& who);

  /// A node wants to be dialled there: at once, once.
  void dial_back(const acquaintance& who);

  /// Those to dial now. They are under way until `failed` or `let_in`; those of nodes that are `there` are not dialled.
  std::vector<config::node_address> due(time_point now, const std::function<bool(const std::string&)>& there);

  /// Nobody there has let this node in. Forgotten after limits::dials_max times: who is there again will ask.
  void failed(const config::node_address& address, time_point now);

  /// That node has, and will say a first word soon.
  void let_in(const config::node_address& address, const std::string& name, time_point now);

  /// It is linked with, whoever dialled, and says that it can be reached there.
  void met(const config::node_address& address, const std::string& name);

  /// The link with it is down. Who dials this node is not looked for.
  void lost(const std::string& name);

  size_t size() const noexcept { return entries_.size(); }
  bool knows(const config::node_address& address) const { return entries_.contains(address); }

private:
  struct entry {
    std::string name; ///< empty: not known yet, as of a seed
    time_point next{};
    std::chrono::milliseconds pause{};
    uint32_t failed = 0; ///< tries in a row
    bool under_way = false;
    bool awaited = false; ///< by the node there
  };

  bool is_seed(const config::node_address& address) const;
  bool make_room();

  std::string self_;
  std::vector<config::node_address> seeds_;
  std::map<config::node_address, entry> entries_;
};

} // namespace troupe
