#pragma once

#include "handlers/sandbox/zygote_protocol.hpp"
#include "handlers/wire/unique_fd.hpp"

#include <caf/error.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe::handlers {

/// The node's end of its talk with a process that clones on request: a zygote, or a template. Blocking, each wait with
/// a bound; used by one thread.
class control_channel {
public:
  struct answer {
    zygote_reply reply;
    std::vector<unique_fd> fds;
  };

  /// Whether the processes that the other side names are its own: a template, a tenant's code, may name others.
  enum class belief : uint8_t { full, none };

  /// `name` is for errors: "the zygote".
  control_channel(std::string name, unique_fd socket, std::chrono::milliseconds reply_time, belief in_it = belief::full)
    : name_{std::move(name)}, socket_{std::move(socket)}, reply_time_{reply_time}, belief_{in_it} {}

  /// Asks and waits for the answer, which has to be of that kind. Fails with sandbox_failed and the step that the other
  /// side says has failed, or why the channel is lost.
  caf::expected<answer> ask(const zygote_request& request, std::span<const int> fds, reply_kind expected);

  /// The first half of `ask`.
  caf::error send(const zygote_request& request, std::span<const int> fds);

  /// Waits for a message: one that the other side sends by itself, or the other half of `ask`.
  caf::expected<answer> receive(reply_kind expected, std::chrono::milliseconds limit);

  /// Gives the other side up. The error for that reason.
  caf::error lose(const char* why);

  /// Whether it has died, hung or answered nonsense.
  bool lost() const noexcept { return lost_; }

  std::chrono::milliseconds reply_time() const noexcept { return reply_time_; }

  /// For what is said on it besides questions and answers.
  int socket() const noexcept { return socket_.get(); }

  /// Kills what the messages that nobody has received name.
  void kill_unreported();

private:
  std::string name_;
  unique_fd socket_;
  std::chrono::milliseconds reply_time_;
  belief belief_;
  bool lost_ = false;
};

} // namespace troupe::handlers
