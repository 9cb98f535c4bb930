#include "http/server.hpp"

#include "http/session.hpp"
#include "http/time_text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <linux/filter.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

namespace troupe::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr auto accept_pause = 100ms;       ///< after accept has failed for want of descriptors or memory
constexpr auto connect_time = 20ms;        ///< that the kernel may need for a handshake of TCP that has begun
constexpr auto first_request_time = 250ms; ///< that a client which has connected may need to ask

std::string endpoint_text(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

/// Makes room at the connection limit: closes the connection that has been idle for longest. False when none is.
bool close_longest_idle(server_state& state) {
  session* oldest = nullptr;
  for (auto& hook : state.sessions) {
    auto& candidate = static_cast<session&>(hook);
    if (candidate.at() == session::phase::idle && (!oldest || candidate.since() < oldest->since()))
      oldest = &candidate;
  }
  if (oldest)
    oldest->close();
  return oldest != nullptr;
}

/// Says 503 to a client that there is no room for, without waiting for it.
void turn_away(server_state& state, tcp_socket socket) {
  ++state.counts->connections_refused;
  response answer;
  set_error(answer, dialect::plain, make_error(errc::unavailable, "too many connections, try again later"));
  ++state.counts->answers[static_cast<size_t>(answer.status)];
  std::string text;
  append_head(text, answer, {.keep_alive = false}, state.date);
  text += answer.body;
  boost::system::error_code ignored; // A client that does not take these few bytes gets a closed connection.
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(text), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void admit(const std::shared_ptr<server_state>& state, tcp_socket socket) {
  if (state->counts->connections_open >= state->settings.connections_max && !close_longest_idle(*state))
    return turn_away(*state, std::move(socket));
  asio::co_spawn(state->io, session::run(std::make_unique<session>(std::move(socket), state)),
                 [](const std::exception_ptr& problem) {
                   if (!problem)
                     return;
                   try {
                     std::rethrow_exception(problem);
                   } catch (const std::exception& error) {
                     spdlog::error("a connection ended: {}", error.what());
                   }
                 });
}

/// The kernel drops attempts to connect from now on, which the client's repeats after a second: the port is closed by
/// then. Closing it at once would reset those who have connected and are not accepted yet.
void refuse_new(tcp_acceptor& acceptor) {
  constexpr uint32_t flags_at = 13; // in TCP's header
  constexpr uint32_t syn = 0x02;
  sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_at), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)};
  const sock_fprog program{std::size(steps), steps};
  // Without it a few may be reset, as without all this.
  ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

bool someone_waits(tcp_acceptor& acceptor) {
  pollfd look{acceptor.native_handle(), POLLIN, 0};
  return ::poll(&look, 1, 0) > 0;
}

/// Who has connected and not asked yet is about to.
enum class newcomers : uint8_t { stay, go };

void close_idle(server_state& state, newcomers these) {
  for (auto at = state.sessions.begin(); at != state.sessions.end();) {
    auto& each = static_cast<session&>(*at++);
    if (each.at() == session::phase::idle && !each.has_input() && (these == newcomers::go || !each.is_new()))
      each.close();
  }
}

} // namespace

void server_state::set_time() {
  now = std::chrono::steady_clock::now();
  date = http_date(std::chrono::system_clock::now());
}

/// What the accepting coroutine and the sweep share with the server; they may outlive it by a step.
struct server::listener {
  explicit listener(asio::io_context& io) : acceptor{io}, timer{io} {}

  tcp_acceptor acceptor;
  io_timer timer;

  static task<void> accept(std::shared_ptr<listener> self, std::shared_ptr<server_state> state);
  static task<void> sweep(std::shared_ptr<listener> self, std::shared_ptr<server_state> state);
};

task<void> server::listener::accept(std::shared_ptr<listener> self, std::shared_ptr<server_state> state) {
  boost::system::error_code problem;
  auto token = asio::redirect_error(use_task, problem);
  while (self->acceptor.is_open()) {
    tcp_socket socket = co_await self->acceptor.async_accept(token);
    if (!problem) {
      admit(state, std::move(socket));
    } else if (problem != asio::error::operation_aborted && problem != asio::error::connection_aborted) {
      spdlog::warn("cannot accept a connection: {}", problem.message());
      io_timer pause{state->io, accept_pause};
      co_await pause.async_wait(token);
    }
  }
}

task<void> server::listener::sweep(std::shared_ptr<listener> self, std::shared_ptr<server_state> state) {
  boost::system::error_code problem;
  auto token = asio::redirect_error(use_task, problem);
  while (!state->stopping || !state->sessions.empty()) {
    self->timer.expires_after(state->sweep_interval);
    co_await self->timer.async_wait(token);
    state->set_time();
    if (state->stopping && state->is_quiet())
      state->quiet.cancel();
    for (auto at = state->sessions.begin(); at != state->sessions.end();)
      static_cast<session&>(*at++).check_time();
  }
}

server::server(io_loop& loop, config::http_settings settings, node_context& node)
  : state_{std::make_shared<server_state>(loop, std::move(settings), node)},
    listener_{std::make_shared<listener>(loop.io())} {
  const auto& s = state_->settings;
  const auto shortest = std::min({s.header_timeout, s.body_timeout, s.idle_timeout});
  state_->sweep_interval = std::clamp<std::chrono::milliseconds>(shortest / 4, 10ms, 1000ms);
  state_->set_time();
}

server::~server() {
  state_->stopping = true;
  boost::system::error_code ignored; // The descriptor is gone in any case.
  listener_->acceptor.close(ignored);
  listener_->timer.cancel();
}

caf::error server::start() {
  const auto& settings = state_->settings;
  boost::system::error_code problem;
  const auto address = asio::ip::make_address(settings.address, problem);
  if (problem || !address.is_loopback())
    return make_error(errc::invalid_argument, "http.address must be of loopback (127.0.0.1, ::1) until requests are "
                                              "authenticated, not '"
                                                + settings.address + "'");
  auto& acceptor = listener_->acceptor;
  const tcp::endpoint endpoint{address, settings.port};
  const auto failed = [&](std::string_view step) {
    boost::system::error_code ignored;
    acceptor.close(ignored);
    if (problem == asio::error::address_in_use)
      return make_error(errc::already_running, "another process listens on " + endpoint_text(endpoint));
    return make_error(errc::io_error, std::string{"cannot "}.append(step) + " on " + endpoint_text(endpoint) + ": "
                                        + problem.message());
  };
  if (acceptor.open(endpoint.protocol(), problem); problem)
    return failed("open a socket");
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), problem); problem)
    return failed("set options");
  if (acceptor.bind(endpoint, problem); problem)
    return failed("bind");
  if (acceptor.listen(asio::socket_base::max_listen_connections, problem); problem)
    return failed("listen");
  const auto local = acceptor.local_endpoint(problem);
  if (problem)
    return failed("listen");
  port_ = local.port();
  state_->node.origin = "http://" + endpoint_text(local);
  asio::co_spawn(state_->io, listener::accept(listener_, state_), asio::detached);
  asio::co_spawn(state_->io, listener::sweep(listener_, state_), asio::detached);
  return caf::none;
}

void server::hurry(std::chrono::milliseconds drain) {
  state_->until = std::min(state_->until, std::chrono::steady_clock::now() + drain);
  state_->quiet.cancel();
}

task<void> server::wait_until_quiet(std::chrono::steady_clock::time_point at_most) {
  const auto state = state_;
  boost::system::error_code problem; // The wait was cut short, and that is looked into.
  while (!state->is_quiet() && std::chrono::steady_clock::now() < std::min(state->until, at_most)) {
    state->quiet.expires_at(std::min(state->until, at_most));
    co_await state->quiet.async_wait(asio::redirect_error(use_task, problem));
  }
}

task<void> server::finish(std::chrono::milliseconds drain) {
  const auto state = state_;
  const auto listening = listener_;
  hurry(drain);
  if (listening->acceptor.is_open() && drain > 0ms) {
    refuse_new(listening->acceptor);
    // Who is connecting at this moment comes in; then nobody is left who has not been accepted.
    boost::system::error_code problem;
    do {
      state->quiet.expires_after(connect_time);
      co_await state->quiet.async_wait(asio::redirect_error(use_task, problem));
    } while (someone_waits(listening->acceptor) && std::chrono::steady_clock::now() < state->until);
  }
  boost::system::error_code ignored; // The descriptor is gone in any case.
  listening->acceptor.close(ignored);
  state->stopping = true;
  close_idle(*state, newcomers::stay);
  co_await wait_until_quiet(std::chrono::steady_clock::now() + first_request_time);
  close_idle(*state, newcomers::go);
  co_await wait_until_quiet(state->until);
}

task<void> server::stop(std::chrono::milliseconds drain) {
  const auto state = state_;
  state->closing = true;
  co_await finish(drain);
  for (auto at = state->sessions.begin(); at != state->sessions.end();)
    static_cast<session&>(*at++).close();
  listener_->timer.cancel();
}

} // namespace troupe::http
