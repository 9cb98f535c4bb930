#include "handlers/sandbox/netlink.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace troupe::handlers {
namespace {

caf::error failed(const char* step, int error) {
  return make_error(errc::io_error, std::string{step} + ": " + std::strerror(error));
}

nlmsghdr header_at(std::string_view bytes) {
  nlmsghdr result{};
  std::memcpy(&result, bytes.data(), sizeof result);
  return result;
}

/// What an acknowledgement says: 0, or errno.
int error_in(std::string_view message) {
  nlmsgerr answer{};
  if (message.size() < NLMSG_HDRLEN + sizeof answer)
    return EBADMSG;
  std::memcpy(&answer, message.data() + NLMSG_HDRLEN, sizeof answer);
  return -answer.error;
}

/// Takes the first message off `bytes`; empty when there is no whole one.
std::string_view take_message(std::string_view& bytes) {
  if (bytes.size() < sizeof(nlmsghdr))
    return {};
  const size_t size = header_at(bytes).nlmsg_len;
  if (size < sizeof(nlmsghdr) || size > bytes.size())
    return {};
  const auto result = bytes.substr(0, size);
  bytes.remove_prefix(std::min(bytes.size(), size_t{NLMSG_ALIGN(size)}));
  return result;
}

} // namespace

void netlink_request::append(const void* data, size_t size) {
  bytes_.append(static_cast<const char*>(data), size);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

netlink_request& netlink_request::put(uint16_t attribute, std::string_view bytes) {
  const nlattr header{static_cast<uint16_t>(NLA_HDRLEN + bytes.size()), attribute};
  append(&header, sizeof header);
  append(bytes.data(), bytes.size());
  return *this;
}

netlink_request& netlink_request::nest(uint16_t attribute, const std::function<void()>& content,
                                       std::string_view body) {
  const size_t start = bytes_.size();
  put(attribute, body);
  content();
  const auto size = static_cast<uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &size, sizeof size); // nlattr::nla_len
  return *this;
}

caf::expected<netlink_socket> netlink_socket::open() {
  unique_fd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!fd)
    return failed("open a netlink socket", errno);
  const timeval limit{.tv_sec = std::chrono::seconds{limits::netlink_time_max}.count(), .tv_usec = 0};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    return failed("set up a netlink socket", errno);
  return netlink_socket{std::move(fd)};
}

caf::expected<netlink_socket> netlink_socket::open_in(int network_namespace) {
  const unique_fd home{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (!home)
    return failed("open the node's network namespace", errno);
  if (::setns(network_namespace, CLONE_NEWNET) != 0)
    return failed("enter a network namespace", errno);
  auto result = open();
  if (::setns(home.get(), CLONE_NEWNET) != 0) {
    // What has just been left can be entered again; a thread that is lost in a sandbox's network must not go on.
    spdlog::critical("the node's network namespace cannot be entered again: {}", std::strerror(errno));
    std::terminate();
  }
  return result;
}

/// Writes into the request's header what is known only when it is complete and about to be sent.
void netlink_socket::seal(netlink_request& request, uint16_t flags) {
  nlmsghdr header = header_at(request.bytes_);
  header.nlmsg_len = static_cast<uint32_t>(request.bytes_.size());
  header.nlmsg_flags |= flags;
  header.nlmsg_seq = ++sequence_;
  std::memcpy(request.bytes_.data(), &header, sizeof header);
}

int netlink_socket::send(std::string_view bytes) {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), 0);
  return sent == static_cast<ssize_t>(bytes.size()) ? 0 : errno;
}

int netlink_socket::receive(std::string_view& bytes) {
  ssize_t size = 0;
  do {
    size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size < 0)
    return errno == EAGAIN ? ETIMEDOUT : errno;
  bytes = {buffer_.data(), static_cast<size_t>(size)};
  return 0;
}

int netlink_socket::run(std::span<netlink_request> requests) {
  std::string all;
  const uint32_t first = sequence_ + 1;
  for (netlink_request& each : requests) {
    seal(each, NLM_F_ACK);
    all += each.bytes_;
  }
  failed_step_ = requests.empty() ? "" : requests.front().step();
  if (const int error = send(all))
    return error;
  int result = 0;
  for (size_t answered = 0; answered < requests.size();) {
    std::string_view bytes;
    if (const int error = receive(bytes))
      return error;
    for (auto message = take_message(bytes); !message.empty(); message = take_message(bytes)) {
      const nlmsghdr header = header_at(message);
      const uint32_t which = header.nlmsg_seq - first;
      if (header.nlmsg_type != NLMSG_ERROR || which >= requests.size()) // what is left of an answer that came late
        continue;
      ++answered;
      if (const int error = error_in(message); error != 0 && result == 0) {
        result = error;
        failed_step_ = requests[which].step();
      }
    }
  }
  return result;
}

caf::error netlink_socket::carry_out(std::span<netlink_request> requests) {
  const int error = run(requests);
  if (error == 0)
    return {};
  return make_error(errc::sandbox_failed, std::string{failed_step_} + ": " + std::strerror(error));
}

/// Asks for one thing (NLM_F_ACK: what comes after it ends the talk) or for all of them (NLM_F_DUMP).
int netlink_socket::ask(netlink_request request, uint16_t flags, const std::function<void(const nlmsghdr&)>& each) {
  seal(request, flags);
  if (const int error = send(request.bytes_))
    return error;
  for (;;) {
    std::string_view bytes;
    if (const int error = receive(bytes))
      return error;
    for (auto message = take_message(bytes); !message.empty(); message = take_message(bytes)) {
      const nlmsghdr answer = header_at(message);
      if (answer.nlmsg_seq != sequence_)
        continue;
      if (answer.nlmsg_type == NLMSG_DONE)
        return 0;
      if (answer.nlmsg_type == NLMSG_ERROR)
        return error_in(message);
      each(*reinterpret_cast<const nlmsghdr*>(message.data())); // the buffer is aligned, and so is each message
    }
  }
}

int netlink_socket::list(netlink_request request, const std::function<void(const nlmsghdr&)>& each) {
  return ask(std::move(request), NLM_F_DUMP, each);
}

int netlink_socket::operating_state(int index, uint8_t& state) {
  ifinfomsg which{};
  which.ifi_index = index;
  return ask({"look at an interface", RTM_GETLINK, 0, which}, NLM_F_ACK, [&state](const nlmsghdr& answer) {
    auto left = static_cast<int>(IFLA_PAYLOAD(&answer));
    for (const rtattr* each = IFLA_RTA(NLMSG_DATA(&answer)); RTA_OK(each, left); each = RTA_NEXT(each, left))
      if (each->rta_type == IFLA_OPERSTATE && RTA_PAYLOAD(each) == sizeof state)
        std::memcpy(&state, RTA_DATA(each), sizeof state);
  });
}

int netlink_socket::wait_until_up(int index) {
  const auto end = std::chrono::steady_clock::now() + limits::netlink_time_max;
  while (std::chrono::steady_clock::now() < end) {
    uint8_t state = IF_OPER_UNKNOWN;
    if (const int error = operating_state(index, state))
      return error;
    if (state == IF_OPER_UP)
      return 0;
    ::poll(nullptr, 0, 1);
  }
  return ETIMEDOUT;
}

int netlink_socket::index_of(const std::string& interface) const {
  ifreq request{};
  if (interface.size() >= sizeof request.ifr_name)
    return 0;
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  return ::ioctl(fd_.get(), SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

} // namespace troupe::handlers
