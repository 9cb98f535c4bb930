#include "handlers/python/template.hpp"

#include "handlers/python/interpreter.hpp"
#include "handlers/python/telling.hpp"
#include "handlers/sandbox/cage.hpp"
#include "handlers/sandbox/tree.hpp"

#include <cerrno>
#include <vector>

#include <sys/prctl.h>
#include <unistd.h>

namespace troupe::python {
namespace {

using namespace handlers;

/// The descriptors of a request to enter, as a cage's.
cage_plan plan_of(const void* argument) {
  const auto& fds = *static_cast<const std::vector<unique_fd>*>(argument);
  return {.events = fds[launch_fd::events].get(),
          .answers = fds[launch_fd::answers].get(),
          .log = fds[launch_fd::log].get(),
          .set_up = fds[launch_fd::set_up].get()};
}

/// In the copy of a template: a sandbox.
void become_sandbox(void* fds) {
  leave_template(plan_of(fds));
  ::prctl(PR_SET_NAME, "troupe-sandbox");
  after_fork_child();
  serve_copy({.events = cage_events, .answers = cage_answers});
}

/// Until the node is gone, or has no use for it any more.
void serve_node() {
  while (const auto message = wire::receive_message(cage_set_up, sizeof(zygote_request))) {
    const auto request = message_of<zygote_request>(message->bytes);
    if (!request || request->kind != request_kind::enter || message->fds.size() < enter_fd::first_cgroup)
      return;
    before_fork();
    send_child_in(cage_set_up, message->fds, become_sandbox);
    after_fork_parent();
  }
}

} // namespace

void become_template(void* fds) {
  enter_template_cage(plan_of(fds));
  ::prctl(PR_SET_NAME, "troupe-template");
  after_fork_child();
  auto launch = receive_launch(cage_set_up);
  if (!launch && errno == 0)
    ::_exit(0); // the node has no use for it any more
  if (!launch)
    give_up("learn what to load");
  close_template_cage(launch->what.ephemeral_storage_mb);
  if (!load_template(handler_of(std::move(launch->what)), {.events = cage_events, .answers = cage_answers},
                     bundle_path))
    ::_exit(1);
  serve_node();
  ::_exit(0);
}

} // namespace troupe::python
