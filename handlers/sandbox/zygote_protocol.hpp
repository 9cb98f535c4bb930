#pragma once

#include "handlers/sandbox/ids.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// What node and zygote say to each other on the zygote's control socket, and node and child on the child's set-up
/// socket (both AF_UNIX, SOCK_SEQPACKET: a message is a message). All sides are built from this file and trust each
/// other, and handlers see neither socket; but for a template, which has loaded its function's code by the time it is
/// asked for copies on its set-up socket: the node believes nothing that it says.
///
///   zygote -> node   wants_ids                 its user namespace is made; the node writes its id maps
///   node -> zygote   go_on
///   zygote -> node   kept       + two pidfds   its PID namespace holds a keeper and the zygote itself, which is from
///                                              here on another process than the one that the node started
///   zygote -> node   ready                     the interpreter is loaded
///   node -> zygote   prepare                   make one more network namespace or /tmp ahead of time
///   zygote -> node   prepared
///   node -> zygote   launch     + descriptors  in the order of launch_fd
///   zygote -> node   launched   + pidfd        and its network, unless it is the one that came with the request
///   node -> child    launch_request + bundle   a child is cloned ahead of time and waits for this
///   child -> node    step_report               of the step that failed, or empty: the sandbox is set up
///   node -> zygote   grow       + control fd   clone a zygote that has this socket, on which the node has said already
///                                              which packages to import
///   zygote -> node   grown      + pidfd
///   new one -> node  growth_report             on its own socket; without a failure in it, it can launch now
///
/// For templates (shell.hpp), where a messenger is a process that has ended and that only the node can wait for:
///
///   node -> zygote     shell   + descriptors   in the order of shell_fd: namespaces and mounts without a sandbox yet
///   zygote -> node     launched + pidfds       of the holder, and of messengers
///   node -> holder     shell_request + bundle  and it answers with a step_report
///   node -> zygote     enter   + descriptors   in the order of enter_fd: a process that becomes a template in there
///   zygote -> node     launched + pidfds       of that process, and of a messenger
///   node -> child      launch_request          without a bundle, which the shell has
///   node -> template   enter   + descriptors   on its set-up socket, once its handler is loaded: a sandbox in a shell
///   template -> node   launched + pidfds       as from the zygote. A template holds its function's code: it may lie
///
/// At every point the zygote may answer `failed` instead; before `ready` it ends after that. What a function is given
/// goes to its child only: the memory of the zygote is inherited by every sandbox that comes after.
namespace troupe::handlers {

/// Descriptors that a host program is started with, besides 0, 1 and 2.
inline constexpr int control_fd = 3;
inline constexpr int life_fd = 4; ///< a pipe that ends with the node: see keeper.hpp

/// The descriptors of a launch. From first_other on: a network namespace that a sandbox has left, if there is one,
/// which this one gets when nobody can find anything of the other in it; the directory of the cgroup in which it is
/// born, if there is one; and a writable `tasks` for each of the others.
struct launch_fd {
  static constexpr size_t events = 0;
  static constexpr size_t answers = 1;
  static constexpr size_t log = 2;
  static constexpr size_t set_up = 3;
  static constexpr size_t first_other = 4;
};

/// The descriptors of a shell. From first_other on: a pidfd of the holder that it lies inside, if any, and a `tasks`
/// for each cgroup.
struct shell_fd {
  static constexpr size_t set_up = 0;
  static constexpr size_t first_other = 1;
};

/// The descriptors of an entry: those of a launch up to `set_up`, a pidfd of the shell's holder, and a `tasks` for each
/// cgroup.
struct enter_fd {
  static constexpr size_t holder = 4;
  static constexpr size_t first_cgroup = 5;
};

enum class request_kind : uint8_t { go_on = 1, prepare, launch, shell, enter, grow };
enum class reply_kind : uint8_t { wants_ids = 1, kept, ready, prepared, launched, failed, grown };

/// What the child is to serve.
struct launch_request {
  std::string handler;
  std::string function_name;
  std::string function_version;
  uint32_t memory_mb = 0;
  uint32_t ephemeral_storage_mb = 0; ///< size of /tmp
  std::map<std::string, std::string> environment;
};

/// A system call that failed, on its way to the node: the step in the words of whoever took it, and errno.
struct step_report {
  int32_t error = 0;
  char step[124] = {};

  static step_report of(std::string_view step, int error) noexcept;
  bool empty() const noexcept { return step[0] == '\0'; }
  std::string text() const; ///< "mount /proc: Operation not permitted"
};

/// Messages of fixed size are sent as they lie in memory: both ends run on one machine.
struct zygote_request {
  request_kind kind = request_kind::go_on;
  id_map ids{};                ///< launch, shell: the child's
  bool has_network = false;    ///< launch: among the descriptors from first_other on
  bool has_birthplace = false; ///< the same
  bool rehearse = false;       ///< launch: the child will wait for its function, and makes use of that time
  bool inside = false;         ///< shell: it lies inside another
};

/// What a shell is for.
struct shell_request {
  uint32_t tmp_mb = 0; ///< size of /tmp
};

struct zygote_reply {
  reply_kind kind = reply_kind::failed;
  uint32_t parts_prepared = 0; ///< for how many sandboxes the zygote's pools last
  step_report failure;         ///< failed
};

template <class Message>
std::string_view bytes_of(const Message& message) noexcept {
  static_assert(std::is_trivially_copyable_v<Message>);
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

/// nullopt when the size is another.
template <class Message>
std::optional<Message> message_of(std::string_view bytes) noexcept {
  static_assert(std::is_trivially_copyable_v<Message>);
  if (bytes.size() != sizeof(Message))
    return std::nullopt;
  Message result;
  std::memcpy(&result, bytes.data(), sizeof result);
  return result;
}

/// What came of importing packages.
struct growth_report {
  std::string failure; ///< empty: all are there
  std::string culprit; ///< the package that failed
  uint64_t import_us = 0;
  std::vector<std::string> loaded; ///< top-level names that have come, those of the standard library left out
};

/// As msgpack. nullopt when the bytes are no such request.
std::string encode(const launch_request& request);
std::optional<launch_request> decode_launch(std::string_view bytes);
std::string encode(const std::vector<std::string>& packages);
std::optional<std::vector<std::string>> decode_packages(std::string_view bytes);
std::string encode(const growth_report& report);
std::optional<growth_report> decode_growth(std::string_view bytes);

struct received_launch {
  launch_request what;
  unique_fd bundle; ///< a detached mount; none for a template
};

/// Whether the request is there already.
bool launch_waits(int set_up) noexcept;

/// Waits for the request on a set-up socket, in the child. nullopt with errno set: 0 when none will come.
std::optional<received_launch> receive_launch(int set_up);

/// The same for the holder of a shell; `bundle` is a detached mount then.
std::optional<shell_request> receive_shell_request(int set_up, int& bundle) noexcept;

/// Tells the node, in the child. When not even this can be written, it sees that the process ended too early.
void report(int set_up, const step_report& what) noexcept;

/// Reports a step that failed, with errno, and ends the process.
[[noreturn]] void report_failure(int set_up, const char* step) noexcept;

} // namespace troupe::handlers
