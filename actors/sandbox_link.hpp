#pragma once

#include "handlers/sandbox/sandbox_factory.hpp"
#include "handlers/wire/frames.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace troupe {

/// A whole frame from a handler process.
struct sandbox_reply {
  wire::reply_header header;
  std::string payload;
};

/// The node's end of a sandbox's channel, its log and its deadline: bytes on one side, events on the other.
/// Owned by its sandbox actor; lives on the io thread, where every method is to be called and every event arrives.
/// Nothing is reported after `close`.
class sandbox_link : public std::enable_shared_from_this<sandbox_link> {
public:
  struct events {
    std::function<void(sandbox_reply)> on_reply;
    std::function<void()> on_closed; ///< the process closed a pipe, or sent what is no frame; may come twice
    std::function<void()> on_deadline;
    std::function<void()> on_ended; ///< the process that is awaited has ended
  };

  static std::shared_ptr<sandbox_link> make(boost::asio::io_context& io, handlers::sandbox_process& process, events to);

  /// Sends an event to the handler. One at a time: the next one only after the reply.
  void send(const wire::invoke_header& header, std::string payload);

  /// `on_deadline` is called once when `when` passes before `clear_deadline`.
  void set_deadline(std::chrono::steady_clock::time_point when);
  void clear_deadline() noexcept { deadline_ = never; }

  /// Takes what the handler has written to its log: at most the last limits::log_tail_bytes since the last call. It
  /// costs a system call.
  std::string take_log();

  /// No reply or deadline is reported any more; the log can still be taken.
  void stop_listening();

  /// Reports the end of a process, a child of the node. False when it cannot be watched.
  bool await_end(const unique_fd& process);

  void close();

private:
  static constexpr auto never = std::chrono::steady_clock::time_point::max();
  using descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  using timer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>;

  sandbox_link(boost::asio::io_context& io, handlers::sandbox_process& process, events to);
  void send_rest();
  void read_some();
  bool take_frames();
  void fail();
  void watch_log();
  void read_log();
  void arm(std::chrono::steady_clock::time_point when);

  descriptor to_handler_;
  descriptor from_handler_;
  descriptor log_;
  descriptor ending_; ///< a pidfd, while that process's end is awaited
  timer timer_;
  events events_;
  std::chrono::steady_clock::time_point deadline_ = never;
  std::chrono::steady_clock::time_point armed_ = never; ///< when the timer fires; it is not moved for each deadline
  std::string out_header_;
  std::string out_payload_;
  size_t out_sent_ = 0;
  std::string in_;     ///< what was read and is not a whole frame yet
  size_t in_size_ = 0; ///< of it, filled
  std::string log_tail_;
  bool closed_ = false;
};

} // namespace troupe
