#pragma once

#include "actors/io_loop.hpp"
#include "handlers/sandbox/sandbox_factory.hpp"
#include "handlers/wire/reply_reader.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace troupe {

/// The node's end of a sandbox's channel, its log and its deadline: bytes on one side, events on the other.
/// Owned by its sandbox actor; lives on the io thread, where every method is to be called and every event arrives.
/// Nothing is reported after `close`. Long events, long answers and a flooded log pass piece by piece, in turns of
/// their tenant, so that others wait for one piece and not for all of them.
class sandbox_link : public std::enable_shared_from_this<sandbox_link> {
public:
  struct events {
    std::function<void(wire::reply)> on_reply;
    std::function<void()> on_closed; ///< the process closed a pipe, or sent what nobody awaits; may come twice
    std::function<void()> on_deadline;
    std::function<void()> on_ended; ///< the process that is awaited has ended
  };

  /// `loop` has to outlive it. `lane`: its tenant's, of the loop's turns.
  static std::shared_ptr<sandbox_link> make(io_loop& loop, turns::lane lane, handlers::sandbox_process& process,
                                            events to);

  /// Sends an event to the handler. One at a time: the next one only after the reply. There is one reply to each, and
  /// one before the first.
  void send(const wire::invoke_header& header, std::string payload);

  /// `on_deadline` is called once when `when` passes before `clear_deadline`, or as much later as event and answer have
  /// waited for turns until then.
  void set_deadline(std::chrono::steady_clock::time_point when);
  void clear_deadline() noexcept { deadline_ = never; }

  /// How long event and answer have waited for turns since the deadline was set: the node's time, not the handler's.
  std::chrono::nanoseconds waited() const noexcept;

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

  /// Something that is done in the tenant's turn; the link stays until then.
  class piece final : public turn {
  public:
    explicit piece(void (sandbox_link::*what)()) noexcept : what_{what} {}
    void wait(sandbox_link& of);
    void take() override;

    /// In all since `forget`.
    std::chrono::nanoseconds waited() const noexcept;
    void forget() noexcept;

  private:
    void (sandbox_link::*what_)();
    std::shared_ptr<sandbox_link> of_; ///< while it waits
    std::chrono::steady_clock::time_point since_;
    std::chrono::nanoseconds waited_{};
  };

  /// Reads of one pipe in one look.
  struct look_count {
    uint64_t look = 0;
    uint32_t reads = 0;
  };

  sandbox_link(io_loop& loop, turns::lane lane, handlers::sandbox_process& process, events to);
  void send_rest();
  void wait_to_send();
  bool is_first(look_count& of) noexcept;
  void listen();
  void read_in_turn();
  void take_replies(size_t bytes);
  void fail();
  void watch_log();
  void read_flood();
  bool read_log(int pieces);
  void arm(std::chrono::steady_clock::time_point when);

  io_loop& loop_;
  turns::lane lane_;
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
  wire::reply_reader replies_;
  look_count answer_reads_;
  look_count log_reads_;
  bool in_turns_ = false; ///< more has come than one look should take in: the next read waits for a turn
  bool awaits_reply_ = true;
  bool sending_ = false; ///< an event that has not been sent as a whole
  piece event_piece_{&sandbox_link::send_rest};
  piece answer_piece_{&sandbox_link::read_in_turn};
  piece log_piece_{&sandbox_link::read_flood};
  std::string log_tail_;
  bool closed_ = false;
};

} // namespace troupe
