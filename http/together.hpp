#pragma once

#include "http/io_task.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::http {

/// What coroutines that run at one time have come to so far.
template <class T>
struct gathering {
  std::vector<std::optional<T>> results;
  std::exception_ptr failure;
  size_t left = 0;
};

template <class T>
task<void> keep_result(std::shared_ptr<gathering<T>> all, size_t at, task<T> one) {
  all->results[at].emplace(co_await std::move(one));
}

/// Starts all of them before it waits for any, and answers what they answer, in their order, once the last is done. An
/// exception of one is thrown then.
template <class T>
task<std::vector<T>> together(std::vector<task<T>> all) {
  std::vector<T> results;
  if (all.empty())
    co_return results;
  const auto executor = co_await boost::asio::this_coro::executor;
  auto state = std::make_shared<gathering<T>>();
  state->results.resize(all.size());
  state->left = all.size();
  auto initiate = [executor, state](auto handler, std::vector<task<T>> each) {
    auto done = std::make_shared<decltype(handler)>(std::move(handler));
    for (size_t i = 0; i < each.size(); ++i)
      boost::asio::co_spawn(executor, keep_result(state, i, std::move(each[i])),
                            [executor, state, done](const std::exception_ptr& failed) {
                              if (failed)
                                state->failure = failed;
                              // Posted, since the last may end before the wait for it has begun.
                              if (--state->left == 0)
                                boost::asio::post(executor, std::move(*done));
                            });
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<io_executor>, void()>(
    std::move(initiate), use_task, std::move(all));
  if (state->failure)
    std::rethrow_exception(state->failure);
  results.reserve(state->results.size());
  for (auto& result : state->results)
    results.push_back(std::move(*result));
  co_return results;
}

} // namespace troupe::http
