#include "actors/cluster/door.hpp"

#include "actors/cluster/handshake.hpp"
#include "actors/cluster/pump.hpp"
#include "actors/cluster/reach.hpp"
#include "config/errc.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>

#include <map>
#include <set>

namespace troupe::cluster {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr auto accept_pause = 100ms; ///< after accept has failed for want of descriptors or memory
constexpr auto report_pause = 1s;    ///< between two lines in the log about strangers at the door

/// IPv4 as such, also where it comes in by a socket for IPv6.
tcp::endpoint plain(const tcp::endpoint& seen) {
  const auto& address = seen.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return {asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()), seen.port()};
  return seen;
}

std::string place_text(const std::string& host, uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::string place_text(const tcp::endpoint& place) {
  return place_text(place.address().to_string(), place.port());
}

/// Small messages go at once, what the other side does not take ends the link, and child processes do not have it.
/// None of it can fail on a connected TCP socket.
void prepare(tcp_socket& socket, std::chrono::milliseconds stall_timeout) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const auto time = static_cast<unsigned>(stall_timeout.count());
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &time, sizeof time);
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
}

void report(const std::exception_ptr& problem) {
  if (!problem)
    return;
  try {
    std::rethrow_exception(problem);
  } catch (const std::exception& error) {
    spdlog::error("the cluster's door: {}", error.what());
  }
}

} // namespace

/// What the door shares with its coroutines, which may outlive it by a step.
struct door::state : std::enable_shared_from_this<state> {
  state(asio::io_context& context, door_settings chosen, door_events told)
    : io{context}, settings{std::move(chosen)}, events{std::move(told)}, acceptor{context}, pause{context} {}

  asio::io_context& io;
  door_settings settings;
  door_events events;
  std::shared_ptr<asio::ssl::context> tls;
  tcp_acceptor acceptor;
  io_timer pause;
  uint16_t port = 0;
  bool closed = false;
  door_stats counts;
  std::map<asio::ip::address, size_t> pending; ///< by address, none of them 0
  std::set<std::shared_ptr<channel>> under_way;
  std::chrono::steady_clock::time_point reported{};

  void begin(const std::shared_ptr<channel>& over);
  void end(const std::shared_ptr<channel>& over);
  handshake terms(direction side, std::string seen_at, bool* later) const;
  void take(tcp_socket socket, const tcp::endpoint& from);
  caf::error hand_over(channel& over, peer arriving, std::string first);
  void count_failure(const channel& over, const caf::error& problem, std::string line);
  void count_later(std::string line);
  void report_stranger();

  static task<void> accept(std::shared_ptr<state> self);
  static task<void> serve(std::shared_ptr<state> self, std::shared_ptr<channel> over, tcp::endpoint from);
  static task<caf::error> join(std::shared_ptr<state> self, std::shared_ptr<channel> over, config::node_address whom,
                               bool* later);
  static task<void> call(std::shared_ptr<state> self, std::shared_ptr<channel> over, config::node_address whom,
                         dial_done done);
};

/// Gives a connection its time, and the door the means to end it, for as long as its coroutine runs.
void door::state::begin(const std::shared_ptr<channel>& over) {
  under_way.insert(over);
  over->close_after(settings.handshake_timeout);
}

void door::state::end(const std::shared_ptr<channel>& over) {
  under_way.erase(over);
}

/// `later` has to live as long as the handshake.
handshake door::state::terms(direction side, std::string seen_at, bool* later) const {
  handshake result{side, settings.mine, nullptr, [later] { *later = true; }};
  if (events.admit)
    result.admit = [ask = events.admit, seen_at = std::move(seen_at)](const hello& who) { return ask(who, seen_at); };
  if (result.mine.port == 0)
    result.mine.port = port;
  return result;
}

task<void> door::state::accept(std::shared_ptr<state> self) {
  error_code problem;
  auto token = redirect_error(use_task, problem);
  while (!self->closed) {
    tcp_socket socket = co_await self->acceptor.async_accept(token);
    if (!problem) {
      const auto from = plain(socket.remote_endpoint(problem));
      ++self->counts.accepted;
      self->take(std::move(socket), from);
    } else if (problem != asio::error::operation_aborted && problem != asio::error::connection_aborted) {
      ++self->counts.accept_failed;
      spdlog::warn("cannot accept a node's connection: {}", problem.message());
      self->pause.expires_after(accept_pause);
      co_await self->pause.async_wait(token);
    }
  }
}

/// Begins the handshake with who has connected, where there is room for one more.
void door::state::take(tcp_socket socket, const tcp::endpoint& from) {
  const auto place = pending.find(from.address());
  const bool crowd = place != pending.end() && place->second >= settings.pending_per_address_max;
  if (crowd || counts.pending >= settings.pending_max) {
    ++counts.refused;
    counts.last_failure = place_text(from) + " finds the door crowded with others that are in the handshake"
                        + (crowd ? " from the same address" : "");
    return report_stranger();
  }
  prepare(socket, settings.stall_timeout);
  const auto over = channel::make(std::move(socket), tls.get());
  begin(over);
  ++counts.pending;
  ++pending[from.address()];
  asio::co_spawn(io, serve(shared_from_this(), over, from), report);
}

task<void> door::state::serve(std::shared_ptr<state> self, std::shared_ptr<channel> over, tcp::endpoint from) {
  bool later = false;
  const auto met = co_await shake_hands(over, self->terms(direction::accepted, from.address().to_string(), &later));
  self->end(over);
  --self->counts.pending;
  if (const auto place = self->pending.find(from.address()); --place->second == 0)
    self->pending.erase(place);
  if (self->closed)
    co_return;
  const auto problem = met ? self->hand_over(*over, {.who = *met}, {}) : met.error();
  if (!problem)
    co_return;
  auto line = place_text(from) + " " + what_of(problem);
  if (later)
    co_return self->count_later(std::move(line));
  self->count_failure(*over, problem, std::move(line));
  self->report_stranger();
}

/// Makes a link of a connection whose handshake has ended well.
caf::error door::state::hand_over(channel& over, peer arriving, std::string first) {
  error_code problem;
  const auto seen = plain(over.socket().remote_endpoint(problem));
  if (problem)
    return make_error(errc::unavailable, over.words(problem));
  over.stay();
  arriving.address = seen.address().to_string();
  arriving.port = seen.port();
  if (over.has_tls()) {
    auto node_side = start_pump(over.shared_from_this(), std::move(first), settings.stall_timeout);
    if (!node_side)
      return node_side.error();
    arriving.socket = std::move(*node_side);
  } else {
    arriving.socket.reset(over.socket().release(problem));
    if (problem)
      return make_error(errc::io_error, "cannot be handed over: " + problem.message());
  }
  ++counts.admitted;
  end(over.shared_from_this()); // The owner may close the door when it is told, and this is a link now.
  events.arrived(std::move(arriving));
  return caf::none;
}

/// Who was refused and then did not hang up is refused, not late.
void door::state::count_failure(const channel& over, const caf::error& problem, std::string line) {
  ++(over.timed_out() && code_of(problem) != errc::conflict ? counts.timed_out : counts.refused);
  counts.last_failure = std::move(line);
}

/// Nothing went wrong: of two nodes one dials.
void door::state::count_later(std::string line) {
  ++counts.later;
  spdlog::debug("no link by this connection: {}", line);
  counts.last_failure = std::move(line);
}

/// Strangers can come as often as they like; the log shows one a second.
void door::state::report_stranger() {
  const auto now = std::chrono::steady_clock::now();
  if (now - reported < report_pause)
    return;
  reported = now;
  spdlog::warn("a connection to the cluster's port was turned away: {}", counts.last_failure);
}

/// The way of a dial: reach the other node, agree, wait for its first bytes. The error's text is the rest of a sentence
/// about the other node.
task<caf::error> door::state::join(std::shared_ptr<state> self, std::shared_ptr<channel> over,
                                   config::node_address whom, bool* later) {
  auto problem = co_await reach(over, self->io, whom.host, whom.port);
  if (problem)
    co_return problem;
  prepare(over->socket(), self->settings.stall_timeout);
  const auto met = co_await shake_hands(over, self->terms(direction::dialled, {}, later));
  if (!met)
    co_return met.error();
  std::string first;
  const auto broken = co_await over->await_bytes(first);
  if (broken)
    co_return make_error(errc::unavailable, over->words(broken));
  if (self->closed)
    co_return caf::error{};
  co_return self->hand_over(*over, {.who = *met, .came = direction::dialled, .dialled_at = whom}, std::move(first));
}

task<void> door::state::call(std::shared_ptr<state> self, std::shared_ptr<channel> over, config::node_address whom,
                             dial_done done) {
  co_await asio::post(self->io, use_task); // `done` is not to be called from within `dial`.
  bool later = false;
  auto problem = co_await join(self, over, whom, &later);
  self->end(over);
  --self->counts.dialling;
  if (self->closed)
    co_return;
  if (!problem)
    co_return done(dial_end::linked, problem);
  auto line = place_text(whom.host, whom.port) + " " + what_of(problem);
  problem = make_error(code_of(problem), line);
  if (later)
    self->count_later(std::move(line));
  else
    self->count_failure(*over, problem, std::move(line));
  done(later ? dial_end::later : dial_end::failed, problem);
}

caf::expected<std::unique_ptr<door>> door::make(asio::io_context& io, door_settings settings, door_events events) {
  auto made = std::make_shared<state>(io, std::move(settings), std::move(events));
  if (made->settings.tls) {
    auto loaded = load_tls(*made->settings.tls);
    if (!loaded)
      return loaded.error();
    made->tls = std::move(*loaded);
  }
  return std::unique_ptr<door>{new door{std::move(made)}};
}

door::~door() {
  close();
}

caf::error door::listen(const std::string& address, uint16_t port) {
  error_code problem;
  const tcp::endpoint place{asio::ip::make_address(address, problem), port};
  if (problem)
    return make_error(errc::invalid_argument, "'" + address + "' is no IP address to listen on");
  auto& acceptor = state_->acceptor;
  if (acceptor.open(place.protocol(), problem); !problem)
    acceptor.set_option(tcp::acceptor::reuse_address(true), problem);
  if (!problem)
    acceptor.bind(place, problem);
  if (!problem)
    acceptor.listen(asio::socket_base::max_listen_connections, problem);
  if (!problem)
    state_->port = acceptor.local_endpoint(problem).port();
  if (!problem) {
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    asio::co_spawn(state_->io, state::accept(state_), report);
    return caf::none;
  }
  error_code ignored; // What went wrong before is what matters.
  acceptor.close(ignored);
  if (problem == asio::error::address_in_use)
    return make_error(errc::already_running, "another process listens on " + place_text(place));
  return make_error(errc::io_error, "cannot listen on " + place_text(place) + ": " + problem.message());
}

uint16_t door::port() const noexcept {
  return state_->port;
}

void door::dial(std::string host, uint16_t port, dial_done done) {
  if (state_->closed)
    return;
  ++state_->counts.dialled;
  ++state_->counts.dialling;
  const auto over = channel::make(tcp_socket{state_->io}, state_->tls.get());
  state_->begin(over);
  asio::co_spawn(state_->io, state::call(state_, over, {std::move(host), port}, std::move(done)), report);
}

void door::close() {
  state_->closed = true;
  error_code ignored; // The descriptor is gone in any case.
  state_->acceptor.close(ignored);
  state_->pause.cancel();
  for (const auto& each : std::exchange(state_->under_way, {}))
    each->close();
}

door_stats door::stats() const {
  return state_->counts;
}

} // namespace troupe::cluster
