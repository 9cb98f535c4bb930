#pragma once

#include "actors/cluster/messages.hpp"
#include "actors/io_loop.hpp"
#include "config/errc.hpp"
#include "http/io_task.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>

#include <caf/all.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::http {

class pending_ask;

/// What the actor that asks for all coroutines knows: which of them wait for an actor of another node. Those are not
/// answered when that node is lost (CAF drops their questions), so they are told here. Local actors answer always.
struct asker_state {
  asker_state() = default;

  std::map<caf::actor_addr, std::vector<caf::intrusive_ptr<pending_ask>>> far;

  static inline const char* name = "gateway";
};

using asker_pointer = caf::stateful_actor<asker_state>*;

/// The hook by which a question hangs in the gateway's list.
using ask_hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A coroutine's question on its way to an actor and back. Waiting ones hang in the gateway's list, which belongs to
/// the io thread; the actor's thread (mostly the same one) only sends it and stores the answer.
class pending_ask : public caf::ref_counted, public turn, public ask_hook {
public:
  /// Actor's thread: sends the question as `self`.
  virtual void send(asker_pointer self) = 0;

  /// Actor's thread: whoever was asked is lost, and the answer with him.
  virtual void lose() = 0;

  /// io thread: resumes the coroutine with `problem` instead of an answer.
  virtual void resume(caf::error problem) = 0;

  uint64_t last_tick = 0; ///< of the gateway's clock: after it the question has failed
  turns::lane lane = 0;   ///< in which the coroutine goes on
};

using pending_ask_ptr = caf::intrusive_ptr<pending_ask>;

/// What travels to the gateway's actor. Never leaves the process.
struct ask_job {
  pending_ask_ptr ask;
};

} // namespace troupe::http

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::http::ask_job)

namespace troupe::http {

/// The bridge from coroutines to actors: one long-lived actor asks for all of them, which costs less than an actor a
/// request. Who has asked in one of the loop's turns goes on in a turn of the same tenant: when an actor answers in the
/// middle of a step of the io thread, the actors finish that step first (a freed sandbox gets its next invocation), and
/// the client is served after it. Owned by the node; all members belong to the io thread. The loop has to outlive the
/// actor system.
class gateway {
public:
  /// `sweep_interval` is how often questions are checked for having waited too long.
  gateway(io_loop& loop, caf::actor_system& system, node_actors actors,
          std::chrono::milliseconds sweep_interval = std::chrono::seconds{1});
  ~gateway();
  gateway(const gateway&) = delete;
  gateway& operator=(const gateway&) = delete;

  /// Empty handles after `stop`; `ask` takes them all the same.
  const node_actors& actors() const noexcept { return actors_; }

  /// Sends `message` to `to` and waits for its answer of type R (caf::unit_t for none), at most `time_max` and one
  /// sweep. Fails as the actor does; with unavailable when it is gone or answers too late (that answer is then
  /// dropped), with node_lost when it is one of another node and that is lost, with shutting_down after `stop`. The
  /// message is moved, never copied.
  template <class R, class Handle, class... Ts>
  task<caf::expected<R>> ask(const Handle& to, std::chrono::milliseconds time_max, Ts... message);

  /// Fails everything that still waits and lets go of all handles.
  void stop();

private:
  template <class R, class Handler, class Handle, class... Ts>
  class typed_ask;

  // Actor's thread: an ask that waits for an actor of another node. `forget` is false when it waits no more.
  static void watch(asker_pointer self, const caf::actor_addr& whom, pending_ask& ask);
  static bool forget(asker_pointer self, const caf::actor_addr& whom, const pending_ask& ask);

  using ask_list = boost::intrusive::list<pending_ask, boost::intrusive::constant_time_size<false>>;

  void begin(pending_ask_ptr ask, std::chrono::milliseconds time_max);
  void wait_for_sweep();
  void sweep();

  io_loop& loop_;
  std::chrono::milliseconds sweep_interval_;
  io_timer timer_;
  node_actors actors_;
  caf::actor self_;
  ask_list waiting_;
  uint64_t tick_ = 0;
  bool stopped_ = false;
  std::shared_ptr<gateway*> alive_; ///< the timer's handler may run after the gateway's end
};

template <class R, class Handler, class Handle, class... Ts>
class gateway::typed_ask final : public pending_ask {
public:
  typed_ask(io_loop& loop, Handler handler, Handle to, std::tuple<Ts...> message)
    : loop_{loop}, handler_{std::move(handler)}, to_{std::move(to)}, message_{std::move(message)} {}

  void send(asker_pointer self) override {
    auto me = caf::intrusive_ptr<typed_ask>{this};
    auto failed = [self, me](caf::error& problem) { me->arrive(self, std::move(problem)); };
    // The handle goes now: one that lives on in a forgotten question would keep its actor alive.
    auto to = std::exchange(to_, Handle{});
    if (to && to.node() != self->node())
      watch(self, far_ = to.address(), *this);
    std::apply(
      [&](Ts&... parts) {
        if constexpr (std::is_same_v<R, caf::unit_t>) // CAF 0.17 makes an empty message of a unit_t.
          self->request(caf::actor_cast<caf::actor>(to), caf::infinite, std::move(parts)...)
            .then([self, me] { me->arrive(self, caf::unit); }, std::move(failed));
        else
          self->request(to, caf::infinite, std::move(parts)...)
            .then([self, me](R& answer) { me->arrive(self, std::move(answer)); }, std::move(failed));
      },
      message_);
  }

  void lose() override { deliver(make_error(errc::node_lost)); }

  void take() override {
    const caf::intrusive_ptr<typed_ask> of_turns{this, false};
    if (!ask_hook::is_linked())
      return; // It had waited too long, or the gateway is gone.
    ask_hook::unlink();
    const caf::intrusive_ptr<typed_ask> of_list{this, false};
    if (handler_)
      std::exchange(handler_, std::nullopt).value()(std::move(*answer_));
  }

  void resume(caf::error problem) override {
    if (handler_)
      std::exchange(handler_, std::nullopt).value()(caf::expected<R>{std::move(problem)});
  }

private:
  template <class T>
  void arrive(asker_pointer self, T&& answer) {
    if (!far_ || forget(self, far_, *this))
      deliver(std::forward<T>(answer));
  }

  template <class T>
  void deliver(T&& answer) {
    answer_.emplace(std::forward<T>(answer));
    caf::intrusive_ptr<typed_ask> me{this};
    if (loop_.is_here())
      wait_for_turn(std::move(me));
    else
      boost::asio::post(loop_.io(), [me = std::move(me)]() mutable { wait_for_turn(std::move(me)); });
  }

  static void wait_for_turn(caf::intrusive_ptr<typed_ask> me) {
    auto& waiting = *me.release();
    waiting.loop_.turns().wait(waiting, waiting.lane);
  }

  io_loop& loop_;
  std::optional<Handler> handler_;
  Handle to_;
  caf::actor_addr far_; ///< of whom was asked, when that is on another node
  std::tuple<Ts...> message_;
  std::optional<caf::expected<R>> answer_;
};

template <class R, class Handle, class... Ts>
task<caf::expected<R>> gateway::ask(const Handle& to, std::chrono::milliseconds time_max, Ts... message) {
  auto initiate = [this, to, time_max](auto handler, std::tuple<Ts...> parts) mutable {
    using ask_type = typed_ask<R, decltype(handler), Handle, Ts...>;
    begin(caf::make_counted<ask_type>(loop_, std::move(handler), std::move(to), std::move(parts)), time_max);
  };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<io_executor>, void(caf::expected<R>)>(
    std::move(initiate), use_task, std::tuple<Ts...>{std::move(message)...});
}

} // namespace troupe::http
