#pragma once

#include "config/ipv4.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/freezer.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/expected.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// Sandboxes as the node sees them: made by a zygote in milliseconds, ended and buried without a trace.
namespace troupe::handlers {

/// Where a sandbox's connections may go.
enum class network : uint8_t {
  none,   ///< its own loopback
  egress, ///< out, but not to the machine, to other sandboxes or to link-local addresses
};

/// What a process is for that loads a handler.
enum class sandbox_role : uint8_t {
  sandbox,
  its_template, ///< of its revision's further sandboxes, which are copies of it; it runs nothing itself
};

/// What a sandbox is made of.
struct sandbox_spec {
  std::string runtime;    ///< "python3"
  std::string handler;    ///< module.callable
  std::string bundle_dir; ///< the unpacked bundle, on the node
  std::string function_name;
  std::string function_version;
  uint32_t memory_mb = 0;
  uint32_t ephemeral_storage_mb = limits::ephemeral_storage_mb_default; ///< size of /tmp
  network reach = network::none;
  std::map<std::string, std::string> environment;
  sandbox_role role = sandbox_role::sandbox;
  /// The slot of a template of the same revision that was found fit: the sandbox is to be a copy of it.
  std::optional<uint32_t> copy_of{};
};

/// A running sandbox process, owned by exactly one actor. `slot` names what the factory keeps for it (cgroup,
/// uid range, network namespace) until it is buried.
struct sandbox_process {
  uint32_t slot = 0;
  int pid = 0; ///< as the node sees it
  unique_fd pidfd;
  unique_fd events;      ///< frames to the handler: the writing end of a pipe, non-blocking
  unique_fd answers;     ///< frames from the handler: the reading end of a pipe, non-blocking
  unique_fd log;         ///< what the handler writes to descriptors 1 and 2: the reading end of a pipe, non-blocking
  unique_fd memory_peak; ///< the cgroup's high-water mark, read with pread at offset 0 (decimal text); may be empty
  unique_fd memory_now;  ///< the same for what is charged to it at the moment
  freezer standstill;    ///< of all its processes
  std::shared_ptr<const void> starting{}; ///< let go of when it is ready: until then the cores are needed
};

/// How a sandbox process ended.
struct sandbox_death {
  enum class cause : uint8_t { exited, signalled, out_of_memory };
  cause why = cause::exited;
  int code = 0; ///< exit code or signal number
  uint64_t memory_peak_bytes = 0;
  std::string never_set_up{}; ///< why it never came to run its function's code; empty when it did
};

/// Whether a machine that lacks a limit will do.
enum class isolation : uint8_t {
  full,    ///< every layer, or none starts
  relaxed, ///< without the cgroup controllers that are missing
};

struct factory_settings {
  std::string host_program;  ///< path of the Python host (troupe-python3), beside the node's own program
  std::string run_dir;       ///< for mount points; made by the factory, empty again after stop
  std::string cgroup_name;   ///< one directory below the controllers' roots, unique on the machine
  uint64_t memory_bytes = 0; ///< of all sandboxes together; 0: as much as the machine gives
  isolation level = isolation::full;
  uint32_t pool_target = limits::launches_in_flight_max; ///< cgroups, network namespaces and /tmp mounts kept ready
  /// Cgroups and networks of ended sandboxes that are kept for the next ones, until there is nothing else to do.
  uint32_t recycled_max = 64;
  /// Sandboxes kept ready, all but the function; one fewer for every four more than one that a function has.
  uint32_t blank_target = 0;
  bool work_ahead = true; ///< while one is launched that was the last blank one, the zygote makes another
  std::chrono::milliseconds reply_time = limits::zygote_reply_max; ///< after which a zygote counts as hung
  config::ipv4_range egress_range{};                               ///< see egress_settings
  std::vector<config::ipv4_range> egress_denied;
  std::string name_servers;          ///< of sandboxes with a way out, separated by commas; empty: the machine's
  std::vector<std::string> packages; ///< that zygotes may load ahead, besides those in layers
  std::vector<std::string> layers;   ///< directories with packages for all sandboxes
  uint64_t zygote_memory_bytes = 0;  ///< of zygotes with packages; 0: none are made
};

/// What became of an attempt to prepare something.
enum class preparation : uint8_t {
  made,
  full,
  failed,
  waiting, ///< for what a zygote does by itself
  stuck,   ///< full, but what was killed has not ended: worth another look in a second
};

/// A launch that waits for a template.
struct unfinished_launch {
  uint64_t number = 0;
};

using launch_progress = std::variant<sandbox_process, unfinished_launch>;

/// What there is ahead of functions that may come. Written by the factory's thread, read by any.
struct factory_gauges {
  std::atomic<uint32_t> blank_sandboxes{0};
  std::atomic<uint32_t> zygotes{0};      ///< with packages, besides the bare one
  std::atomic<uint64_t> zygote_bytes{0}; ///< of those, measured as each was made
};

/// Owns the zygote process and everything prepared for sandboxes. Blocking; used by one thread (the launcher actor's).
class sandbox_factory {
public:
  virtual ~sandbox_factory() = default;

  /// Makes a sandbox; returns once its process exists. That reports `ready` or `failed` among its answers, or ends, and
  /// then `bury` tells if it was never set up. Fails with sandbox_failed; a zygote that died is started again first. A
  /// template that cannot be copied is killed, and the sandbox loads the handler itself. A copy takes as long as the
  /// template's code likes: one that is not made in a moment is left unfinished. A template makes one at a time.
  virtual caf::expected<launch_progress> begin_launch(const sandbox_spec& spec) = 0;

  /// What has become of an unfinished launch; waits for it no longer than `patience`. One that takes longer than
  /// `reply_time` goes on without the template.
  virtual caf::expected<launch_progress> go_on(unfinished_launch launch, std::chrono::milliseconds patience) = 0;

  /// Both, for whoever has nothing else to do.
  caf::expected<sandbox_process> launch(const sandbox_spec& spec);

  /// Of a template that has loaded its handler: whether it can be copied. Fails with sandbox_failed, saying why not: it
  /// has threads or child processes, which a copy would lack, or open files and sockets, which copies would share.
  virtual caf::error examine(const sandbox_process& loaded) = 0;

  /// Kills whatever is left of it, waits for its end, and takes its resources back.
  virtual sandbox_death bury(sandbox_process process) = 0;

  /// Whether blank sandboxes are kept; those that are there go when they are not.
  virtual void keep_blanks(bool wanted) = 0;

  /// Fills the pools of blank sandboxes and their parts by one. To be called while nothing else waits.
  virtual preparation prepare_one() = 0;

  virtual std::shared_ptr<const factory_gauges> gauges() const = 0;
};

/// Checks the machine for what sandboxes need and starts the zygote; the pools are empty. Fails with not_supported,
/// naming the feature that is missing.
caf::expected<std::unique_ptr<sandbox_factory>> make_sandbox_factory(factory_settings settings);

} // namespace troupe::handlers
