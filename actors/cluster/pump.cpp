#include "actors/cluster/pump.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace troupe::cluster {

namespace asio = boost::asio;
using asio::redirect_error;
using namespace std::chrono_literals;

namespace {

constexpr int looks_max = 4; ///< at a write that does not move, in the time that it may stand still

/// One of the two ways through a link: whether a write is waiting, and whether it has moved since the last look. Looks
/// are counted instead of time, so that a process that was stopped itself finds its links as they were.
struct way {
  bool writing = false;
  uint64_t moves = 0;
  uint64_t moves_seen = 0;
  int looks = 0;

  bool is_stuck() noexcept {
    looks = writing && moves == moves_seen ? looks + 1 : 0;
    moves_seen = moves;
    return looks >= looks_max;
  }
};

/// What the coroutines of one link share.
struct pump {
  pump(std::shared_ptr<channel> net_side, local_socket node_side)
    : net{std::move(net_side)}, node{std::move(node_side)}, watch{node.get_executor()} {}

  void close() {
    net->close();
    error_code ignored; // The descriptor is gone in any case.
    node.close(ignored);
    watch.cancel();
  }

  std::shared_ptr<channel> net;
  local_socket node;
  io_timer watch;
  way out;
  way in;
};

task<error_code> write_net(std::shared_ptr<pump> self, std::string_view bytes) {
  error_code problem;
  self->out.writing = true;
  while (!bytes.empty() && !problem) {
    ++self->out.moves;
    const auto size = co_await self->net->write_some(asio::buffer(bytes), problem);
    bytes.remove_prefix(size);
  }
  self->out.writing = false;
  co_return problem;
}

task<error_code> write_node(std::shared_ptr<pump> self, std::string_view bytes) {
  error_code problem;
  self->in.writing = true;
  while (!bytes.empty() && !problem) {
    ++self->in.moves;
    const auto size = co_await self->node.async_write_some(asio::buffer(bytes), redirect_error(use_task, problem));
    bytes.remove_prefix(size);
  }
  self->in.writing = false;
  co_return problem;
}

task<void> outwards(std::shared_ptr<pump> self) {
  std::vector<char> buffer(limits::link_buffer_bytes);
  error_code problem;
  while (!problem) {
    const auto size = co_await self->node.async_read_some(asio::buffer(buffer), redirect_error(use_task, problem));
    if (!problem)
      problem = co_await write_net(self, {buffer.data(), size});
  }
  self->close();
}

task<void> inwards(std::shared_ptr<pump> self, std::string first) {
  auto problem = co_await write_node(self, first);
  std::vector<char> buffer(limits::link_buffer_bytes);
  while (!problem) {
    const auto size = co_await self->net->read_some(asio::buffer(buffer), problem);
    if (!problem)
      problem = co_await write_node(self, {buffer.data(), size});
  }
  self->close();
}

task<void> watch_writes(std::shared_ptr<pump> self, std::chrono::milliseconds stall_timeout) {
  const auto interval = std::max<std::chrono::milliseconds>(stall_timeout / looks_max, 1ms);
  error_code problem;
  while (!self->net->is_closed()) {
    self->watch.expires_after(interval);
    co_await self->watch.async_wait(redirect_error(use_task, problem));
    const bool out_is_stuck = self->out.is_stuck();
    const bool in_is_stuck = self->in.is_stuck();
    if (out_is_stuck || in_is_stuck)
      self->close();
  }
}

} // namespace

caf::expected<unique_fd> start_pump(std::shared_ptr<channel> net, std::string first,
                                    std::chrono::milliseconds stall_timeout) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return make_error(errc::io_error, std::string{"cannot make a socket pair: "} + std::strerror(errno));
  unique_fd near{ends[0]};
  unique_fd far{ends[1]};
  const auto executor = net->socket().get_executor();
  local_socket node{executor};
  error_code problem;
  node.assign(asio::local::stream_protocol{}, far.get(), problem);
  if (problem)
    return make_error(errc::io_error, "cannot watch a socket pair: " + problem.message());
  far.release();
  const auto link = std::make_shared<pump>(std::move(net), std::move(node));
  asio::co_spawn(executor, outwards(link), asio::detached);
  asio::co_spawn(executor, inwards(link, std::move(first)), asio::detached);
  asio::co_spawn(executor, watch_writes(link, stall_timeout), asio::detached);
  return near;
}

} // namespace troupe::cluster
