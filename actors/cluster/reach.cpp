#include "actors/cluster/reach.hpp"

#include "config/errc.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/redirect_error.hpp>

#include <vector>

namespace troupe::cluster {

namespace asio = boost::asio;
using asio::ip::tcp;
using resolver = asio::ip::basic_resolver<tcp, io_executor>;

namespace {

struct places {
  error_code problem;
  std::vector<tcp::endpoint> found;
};

task<places> resolve(std::shared_ptr<channel> over, asio::io_context& io, std::string host, uint16_t port) {
  places result;
  const auto address = asio::ip::make_address(host, result.problem);
  if (!result.problem)
    result.found.emplace_back(address, port);
  if (!result.problem || host.empty()) // Asio takes an empty name for this machine's.
    co_return result;
  // A look-up cannot be cut short, so it is not awaited but wakes who waits, if that one is still there.
  const auto answer = std::make_shared<places>();
  resolver names{io};
  names.async_resolve(host, std::to_string(port), asio::ip::resolver_base::numeric_service,
                      [answer, weak = std::weak_ptr{over}](const error_code& problem, const auto& results) {
                        answer->problem = problem;
                        for (const auto& each : results)
                          answer->found.push_back(each.endpoint());
                        if (const auto waiting = weak.lock())
                          waiting->wake();
                      });
  co_await over->sleep();
  co_return *answer;
}

} // namespace

task<caf::error> reach(std::shared_ptr<channel> over, asio::io_context& io, std::string host, uint16_t port) {
  const auto known = co_await resolve(over, io, host, port);
  auto problem = known.problem;
  if (!problem && !over->is_closed())
    co_await asio::async_connect(over->socket(), known.found, asio::redirect_error(use_task, problem));
  if (over->timed_out())
    co_return make_error(errc::unavailable,
                         "cannot be reached within " + std::to_string(over->time_allowed().count()) + " ms");
  if (problem || over->is_closed())
    co_return make_error(errc::unavailable, "cannot be reached: " + problem.message());
  co_return caf::none;
}

} // namespace troupe::cluster
