#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// What node and zygote say to each other on the zygote's control socket (AF_UNIX, SOCK_SEQPACKET: a message is a
/// message). Both are built from this file and trust each other; sandboxes never see the socket.
///
///   zygote -> node   wants_ids                 its user namespace is made; the node writes its id maps
///   node -> zygote   go_on
///   zygote -> node   kept       + two pidfds   its PID namespace holds a keeper and the zygote itself, which is from
///                                              here on another process than the one that the node started
///   zygote -> node   ready                     the interpreter is loaded
///   node -> zygote   prepare                   make one more network namespace and /tmp ahead of time
///   zygote -> node   prepared
///   node -> zygote   launch     + descriptors  in the order of launch_fd
///   zygote -> node   launched   + pidfd        and then the child reports its set-up on its status pipe
///
/// At every point the zygote may answer `failed` instead; before `ready` it ends after that.
namespace troupe::handlers {

/// Descriptors that a host program is started with, besides 0, 1 and 2.
inline constexpr int control_fd = 3;
inline constexpr int life_fd = 4; ///< a pipe that ends with the node: see keeper.hpp

/// The descriptors of a launch. From first_cgroup on: one writable `tasks` or `cgroup.procs` a controller.
struct launch_fd {
  static constexpr size_t channel = 0;
  static constexpr size_t log = 1;
  static constexpr size_t status = 2;
  static constexpr size_t bundle = 3;
  static constexpr size_t first_cgroup = 4;
};

enum class request_kind : uint8_t { go_on = 1, prepare = 2, launch = 3 };
enum class reply_kind : uint8_t { wants_ids = 1, kept, ready, prepared, launched, failed };

/// What the child is to be and to run.
struct launch_request {
  uint32_t slot = 0; ///< chooses its range of user ids
  uint32_t memory_mb = 0;
  std::string handler;
  std::string function_name;
  std::string function_version;
  std::map<std::string, std::string> environment;
};

/// A system call that failed, on its way to the node: the step in the words of whoever took it, and errno.
struct step_report {
  int32_t error = 0;
  char step[124] = {};

  static step_report of(std::string_view step, int error) noexcept;
  std::string text() const; ///< "mount /proc: Operation not permitted"
};

/// A message of fixed size; both ends run on one machine.
struct zygote_reply {
  reply_kind kind = reply_kind::failed;
  uint32_t parts_prepared = 0; ///< what is left in the zygote's pool
  step_report failure;         ///< failed
};

/// Largest message of either direction.
inline constexpr size_t control_message_bytes_max = 32 * 1024;

std::string encode(request_kind kind);
std::string encode(const launch_request& request);
std::string_view bytes_of(const zygote_reply& reply) noexcept;
std::string_view bytes_of(const step_report& report) noexcept;

/// nullopt when the bytes are none of these.
std::optional<request_kind> kind_of_request(std::string_view bytes) noexcept;
std::optional<launch_request> decode_launch(std::string_view bytes);
std::optional<zygote_reply> decode_reply(std::string_view bytes) noexcept;
std::optional<step_report> decode_report(std::string_view bytes) noexcept;

} // namespace troupe::handlers
