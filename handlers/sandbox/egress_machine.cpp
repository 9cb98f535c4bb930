#include "handlers/sandbox/egress_machine.hpp"

#include "config/errc.hpp"
#include "handlers/sandbox/egress_rules.hpp"
#include "handlers/sandbox/nft.hpp"
#include "handlers/sandbox/small_file.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>

namespace troupe::handlers {
namespace {

/// Of the network namespace of whoever opens it.
constexpr const char* forwarding_file = "/proc/sys/net/ipv4/ip_forward";
constexpr const char* list_tables = "list tables\n";

/// The second line of a note; the tables that there were follow, when forwarding was off.
constexpr std::string_view was_off = "IPv4 forwarding was off\n";
constexpr std::string_view was_on = "IPv4 forwarding was on\n";

std::string note_file(const std::string& run_dir) {
  return run_dir + "/egress";
}

/// Differs from one start of the machine to the next.
std::string boot_id() {
  return read_small_file("/proc/sys/kernel/random/boot_id").value_or("\n");
}

bool forwards() {
  return read_small_file(forwarding_file).value_or("").starts_with("1");
}

} // namespace

std::optional<machine_route> read_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE || message.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg)))
    return std::nullopt;
  const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(&message));
  if (route->rtm_family != AF_INET || route->rtm_dst_len > 32)
    return std::nullopt;
  machine_route result{{0, route->rtm_dst_len}, {}};
  auto left = static_cast<int>(RTM_PAYLOAD(&message));
  for (const rtattr* each = RTM_RTA(route); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
    uint32_t value = 0;
    if (RTA_PAYLOAD(each) != sizeof value)
      continue;
    std::memcpy(&value, RTA_DATA(each), sizeof value);
    char name[IF_NAMESIZE] = {};
    if (each->rta_type == RTA_DST)
      result.to.first = ntohl(value);
    if (each->rta_type == RTA_OIF && ::if_indextoname(value, name) != nullptr)
      result.interface = name;
  }
  return result;
}

caf::error note_machine(const std::string& run_dir) {
  auto tables = run_nft(list_tables);
  if (!tables)
    return std::move(tables.error());
  const unique_fd file{::open(note_file(run_dir).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  const std::string text = boot_id() + (forwards() ? std::string{was_on} : std::string{was_off} + *tables);
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return make_error(errc::io_error, std::string{"note what network egress changes: "} + std::strerror(errno));
  return {};
}

caf::error switch_forwarding_on() {
  if (forwards())
    return {};
  if (const int error = write_small_file(forwarding_file, "1"))
    return make_error(errc::not_supported,
                      std::string{"network egress without IPv4 forwarding: set sysctl net.ipv4.ip_forward to 1 ("}
                        + std::strerror(error) + ")");
  spdlog::info("IPv4 forwarding was off on this machine; it is on now, for functions with network egress");
  return {};
}

void restore_machine(const std::string& run_dir, const std::string& table) {
  const std::string file = note_file(run_dir);
  const auto note = read_small_file(file);
  if (!note)
    return;
  if (note->starts_with(boot_id())) {
    if (const auto removed = run_nft(removal_of(table)); !removed)
      spdlog::warn("the nftables table {} stays behind: {}", table, what_of(removed.error()));
    const auto tables = run_nft(list_tables);
    if (tables && *note == boot_id() + std::string{was_off} + *tables && forwards()) {
      write_small_file(forwarding_file, "0");
      spdlog::info("IPv4 forwarding is off again on this machine");
    }
  }
  ::unlink(file.c_str());
}

} // namespace troupe::handlers
