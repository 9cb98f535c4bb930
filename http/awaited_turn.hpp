#pragma once

#include "actors/turns.hpp"
#include "http/io_task.hpp"

#include <boost/asio/async_result.hpp>

#include <optional>
#include <utility>

namespace troupe::http {

/// A coroutine's turn on the io thread. One wait at a time.
class awaited_turn final : public turn {
public:
  task<void> wait(turns& all, turns::lane of) {
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<io_executor>, void()>(
      [this, &all, of](auto coroutine) {
        go_on_.emplace(std::move(coroutine));
        all.wait(*this, of);
      },
      use_task);
  }

  void take() override { std::exchange(go_on_, std::nullopt).value()(); }

private:
  using handler = boost::asio::async_result<boost::asio::use_awaitable_t<io_executor>, void()>::handler_type;

  std::optional<handler> go_on_;
};

} // namespace troupe::http
