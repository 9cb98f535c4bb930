#pragma once

#include "http/io_task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::http {

/// One thread beside the io thread for work of milliseconds without waiting (parsing a large deployment), during which
/// the io thread goes on serving. Thread safety: any thread.
class helper_thread {
public:
  /// Runs `work` there; the coroutine goes on where it was. What `work` refers to has to stay until then.
  template <class Work>
  task<std::invoke_result_t<Work&>> run(Work work) {
    using result = std::invoke_result_t<Work&>;
    // Asio wants a result that can be made from nothing, for the case of an exception.
    auto wrapped = [](Work& todo) -> boost::asio::awaitable<std::optional<result>> { co_return todo(); };
    auto answer = co_await boost::asio::co_spawn(pool_, wrapped(work), use_task);
    co_return std::move(*answer);
  }

private:
  boost::asio::thread_pool pool_{1};
};

} // namespace troupe::http
