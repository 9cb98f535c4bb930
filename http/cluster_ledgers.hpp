#pragma once

#include "config/limits.hpp"
#include "http/ledger_share.hpp"
#include "http/node_context.hpp"
#include "http/together.hpp"

#include <string>
#include <utility>
#include <vector>

/// Every node has a ledger of its own. Here they are asked as one, from any node that serves HTTP.
namespace troupe::http {

/// Whose ledgers a question is about.
enum class ledger_scope : uint8_t { cluster, node };

/// A node whose ledger has a part of the answer. One that is gone has no handles.
struct ledger_place {
  std::string node;
  worker_actor worker; ///< which may hold records for the ledger
  ledger_actor ledger;
  bool is_here = false; ///< the node that was asked
};

/// The node that was asked first, then the other members, then those that were members since this node started.
task<caf::expected<std::vector<ledger_place>>> ledger_places(node_context& node, ledger_scope scope);

ledger_place ledger_here(const node_context& node);

/// Makes a node's worker hand all its records to the ledger. That, or something as small where there is no worker, is
/// what another node has little time for; the ledger may then take its time, and when the node is lost meanwhile that
/// is known.
task<caf::expected<caf::unit_t>> hand_over(node_context& node, ledger_place place);

/// Asks one ledger for an R after that. Fails as actors do, with node_lost when the node is gone.
template <class R, class... Ts>
task<caf::expected<R>> ask_ledger(node_context& node, ledger_place place, Ts... message) {
  auto done = co_await hand_over(node, place);
  if (!done)
    co_return std::move(done.error());
  co_return co_await node.actors.ask<R>(place.ledger, limits::report_time_max, std::move(message)...);
}

/// The same of all at one time; answers in the order of `places`.
template <class R, class... Ts>
task<std::vector<caf::expected<R>>> ask_ledgers(node_context& node, const std::vector<ledger_place>& places,
                                                const Ts&... message) {
  std::vector<task<caf::expected<R>>> questions;
  questions.reserve(places.size());
  for (const auto& place : places)
    questions.push_back(ask_ledger<R>(node, place, message...));
  return together(std::move(questions));
}

/// The error as a part of an answer that others have answered.
std::string problem_of(const caf::error& error);

/// What is said of each node's answer. An error when there is none at all: that of the node that was asked.
template <class R>
caf::expected<std::vector<ledger_share>> shares_of(const std::vector<ledger_place>& places,
                                                   const std::vector<caf::expected<R>>& answers) {
  std::vector<ledger_share> shares;
  bool has_any = false;
  for (size_t i = 0; i < places.size(); ++i) {
    has_any = has_any || answers[i];
    shares.push_back({places[i].node, answers[i] ? std::string{} : problem_of(answers[i].error())});
  }
  if (!has_any)
    return answers.front().error();
  return shares;
}

} // namespace troupe::http
