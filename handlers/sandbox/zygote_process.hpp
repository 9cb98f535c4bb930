#pragma once

#include "handlers/sandbox/control_channel.hpp"
#include "handlers/sandbox/ids.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::handlers {

/// The node's hold on a keeper (keeper.hpp). Letting go of the last reference ends the PID namespace and waits until
/// that is done; every other child in it must have been reaped or be ending. Shared by a zygote and its sandboxes.
class keeper {
public:
  keeper(unique_fd life, unique_fd pidfd) : life_{std::move(life)}, pidfd_{std::move(pidfd)} {}
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;
  ~keeper();

  bool running() const noexcept;
  int id() const { return id_of(pidfd_.get()); }

private:
  unique_fd life_;
  unique_fd pidfd_;
};

struct zygote_options {
  std::string host_program;
  std::string mount_point;                 ///< an empty directory; only the zygote sees what it mounts there
  std::chrono::milliseconds reply_time{0}; ///< how long it may take to answer before it counts as hung
  std::string resolv_conf{};               ///< what sandboxes have as /etc/resolv.conf
  std::vector<std::string> layers{};       ///< directories that sandboxes have (tree.hpp)
  id_plan ids{};
};

/// A zygote process, seen from the node. Blocking, each wait with a bound; used by one thread.
class zygote_process {
public:
  struct child {
    int pid = 0;
    unique_fd pidfd;
    unique_fd network{}; ///< launch: its own, when it was made for it
  };

  /// Starts the host program and waits until it can launch. Fails with sandbox_failed and the step that went wrong.
  static caf::expected<std::unique_ptr<zygote_process>> start(const zygote_options& options);

  /// Kills the zygote and every child of it that the node has not been told of. Sandboxes go on.
  ~zygote_process();

  /// False once it has died, hung or answered nonsense, or its keeper is gone: then start another.
  bool usable() const noexcept;

  /// Clones a child, which then takes its own set-up steps and reports on its set-up socket. `fds` are as in launch_fd,
  /// shell_fd or enter_fd, as the request says.
  caf::expected<child> launch(const zygote_request& request, std::span<const int> fds);

  /// The same in two halves, so that the zygote works while the caller does something else. One at a time; what else is
  /// asked meanwhile waits for it.
  caf::error begin_launch(const zygote_request& request, std::span<const int> fds);
  caf::expected<child> finish_launch();

  /// Clones a zygote from this one that imports packages besides. It can launch once growth() has said so.
  caf::expected<std::unique_ptr<zygote_process>> grow(const std::vector<std::string>& packages);

  /// To a clone: what came of its imports; nullopt while they last. Does not wait.
  std::optional<growth_report> growth();

  /// Of the zygote itself, in the caller's PID namespace.
  int id() const { return id_of(pidfd_.get()); }

  /// Makes the parts of one more sandbox ahead.
  caf::error prepare();

  /// How many sandboxes it has parts for.
  uint32_t parts_prepared() const noexcept { return parts_prepared_; }

  const std::shared_ptr<keeper>& shared_keeper() const noexcept { return keeper_; }

private:
  zygote_process(int group, unique_fd pidfd, unique_fd control, std::chrono::milliseconds reply_time);

  caf::error settle(unique_fd life, const id_plan& ids);
  caf::expected<child> receive_child(request_kind of);
  void collect_launched();
  caf::expected<control_channel::answer> ask(const zygote_request& request, std::span<const int> fds,
                                             reply_kind expected);
  void reap_unreported();

  int group_;       ///< process group of the zygote and of children before their set-up
  unique_fd pidfd_; ///< of the program that was started, and then of the zygote proper
  control_channel control_;
  std::shared_ptr<keeper> keeper_;
  uint32_t parts_prepared_ = 0;
  std::optional<request_kind> launching_;        ///< begun, and nobody has received the answer
  std::optional<caf::expected<child>> launched_; ///< the answer, when nobody has asked for it yet
};

} // namespace troupe::handlers
