#pragma once

#include "handlers/python/interpreter.hpp"
#include "handlers/sandbox/shell.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <cerrno>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

/// What zygote and template have in common: the talk with the node about processes that they clone.
namespace troupe::python {

/// The numbers of received descriptors, from the one at `first` on.
class fd_numbers {
public:
  fd_numbers(const std::vector<unique_fd>& fds, size_t first) noexcept {
    for (size_t i = first; i < fds.size(); ++i)
      numbers_[count_++] = fds[i].get();
  }

  std::span<const int> all() const noexcept { return {numbers_, count_}; }

private:
  int numbers_[wire::passed_fds_max];
  size_t count_ = 0;
};

/// False when the node is gone; then the next request does not come either.
inline bool tell(int control, const handlers::zygote_reply& reply, std::span<const int> fds = {}) {
  return wire::send_message(control, handlers::bytes_of(reply), fds);
}

inline bool tell_failure(int control, const std::system_error& error, std::span<const int> fds = {}) {
  handlers::zygote_reply reply;
  reply.failure = handlers::step_report::of(error.what(), 0); // names the step and errno's text
  return tell(control, reply, fds);
}

/// Tells of a process that a messenger has made, or which step has failed, with errno set.
inline void tell_made(int control, const char* failed, const handlers::made_by_messenger& made) {
  handlers::zygote_reply reply;
  if (failed == nullptr)
    reply.kind = handlers::reply_kind::launched;
  else
    reply.failure = handlers::step_report::of(failed, errno);
  std::vector<int> processes;
  for (const unique_fd* each : {&made.process, &made.messenger, &made.second_messenger})
    if (*each)
      processes.push_back(each->get());
  tell(control, reply, processes);
}

/// Answers a request to enter a shell: a copy of this process goes on in there with `become`, which gets the
/// descriptors of the request.
inline void send_child_in(int control, const std::vector<unique_fd>& fds, void (*become)(void*)) {
  const fd_numbers cgroups{fds, handlers::enter_fd::first_cgroup};
  handlers::made_by_messenger made;
  auto* argument = const_cast<std::vector<unique_fd>*>(&fds); // which `become` only reads
  const char* failed =
    handlers::enter_shell(fds[handlers::enter_fd::holder].get(), cgroups.all(), become, argument, made);
  tell_made(control, failed, made);
}

inline handler_spec handler_of(handlers::launch_request what) {
  return {.handler = std::move(what.handler),
          .function_name = std::move(what.function_name),
          .function_version = std::move(what.function_version),
          .memory_mb = what.memory_mb,
          .environment = std::move(what.environment)};
}

} // namespace troupe::python
