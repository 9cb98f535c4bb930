#pragma once

#include "handlers/wire/unique_fd.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linux/netlink.h>

/// As much of rtnetlink(7) as a veth pair needs: interfaces, addresses, routes, neighbours.
namespace troupe::handlers {

/// A request, written from front to back: the fixed part of its type first, then attributes.
class netlink_request {
public:
  /// `step` says what it is for, in errors.
  template <class Body>
  netlink_request(const char* step, uint16_t type, uint16_t flags, const Body& body) : step_{step} {
    const nlmsghdr header{0, type, static_cast<uint16_t>(NLM_F_REQUEST | flags), 0, 0};
    append(&header, sizeof header);
    append(&body, sizeof body);
  }

  netlink_request& put(uint16_t attribute, std::string_view bytes);

  template <class T>
  netlink_request& put_value(uint16_t attribute, const T& value) {
    return put(attribute, {reinterpret_cast<const char*>(&value), sizeof value});
  }

  /// Attributes within an attribute: whatever `content` puts, after `body` where the attribute has one.
  netlink_request& nest(uint16_t attribute, const std::function<void()>& content, std::string_view body = {});

  const char* step() const noexcept { return step_; }

private:
  friend class netlink_socket;

  void append(const void* data, size_t size);

  const char* step_;
  std::string bytes_; ///< each part padded to NLMSG_ALIGNTO
};

/// Asks the kernel about one network namespace, and has it changed. Blocking, each answer within
/// limits::netlink_time_max; used by one thread.
class netlink_socket {
public:
  /// For the network namespace of the calling thread. Fails with io_error.
  static caf::expected<netlink_socket> open();

  /// For another, which the calling thread enters for the moment that it takes.
  static caf::expected<netlink_socket> open_in(int network_namespace);

  /// Has all of these done, in order, with one call; 0, or errno of the first that failed. Those after it are tried
  /// nevertheless.
  int run(std::span<netlink_request> requests);

  /// As `run`; the error is sandbox_failed and names the step.
  caf::error carry_out(std::span<netlink_request> requests);

  /// Each answer to a request for a list (NLM_F_DUMP), header included; 0 or errno.
  int list(netlink_request request, const std::function<void(const nlmsghdr&)>& each);

  /// Waits until an interface that has been raised, and whose other end has, takes packets: the kernel sees to that
  /// aside, and loses those that come before. 0 or errno.
  int wait_until_up(int index);

  /// The number of an interface; 0 when there is none of that name.
  int index_of(const std::string& interface) const;

private:
  explicit netlink_socket(unique_fd fd) : fd_{std::move(fd)}, buffer_(64 * 1024) {}

  void seal(netlink_request& request, uint16_t flags);
  int send(std::string_view bytes);
  int receive(std::string_view& bytes);
  int ask(netlink_request request, uint16_t flags, const std::function<void(const nlmsghdr&)>& each);
  int operating_state(int index, uint8_t& state);

  unique_fd fd_;
  uint32_t sequence_ = 0;
  std::vector<char> buffer_;
  const char* failed_step_ = "";
};

} // namespace troupe::handlers
