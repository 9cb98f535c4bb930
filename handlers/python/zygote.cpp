#include "handlers/python/zygote.hpp"

#include "config/limits.hpp"
#include "handlers/python/interpreter.hpp"
#include "handlers/python/telling.hpp"
#include "handlers/python/template.hpp"
#include "handlers/sandbox/cage.hpp"
#include "handlers/sandbox/check.hpp"
#include "handlers/sandbox/clone.hpp"
#include "handlers/sandbox/keeper.hpp"
#include "handlers/sandbox/namespaces.hpp"
#include "handlers/sandbox/shell.hpp"
#include "handlers/sandbox/syscall_filter.hpp"
#include "handlers/sandbox/tree.hpp"
#include "handlers/sandbox/zygote_protocol.hpp"
#include "handlers/wire/fd_passing.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::python {
namespace {

using namespace handlers;

/// Where zygote and child meet: the child goes on when the byte comes, and ends when the zygote does.
struct barrier {
  unique_fd waiting;
  unique_fd releasing;

  barrier() {
    int ends[2];
    check(::pipe2(ends, O_CLOEXEC), "make a pipe for the child");
    waiting.reset(ends[0]);
    releasing.reset(ends[1]);
  }

  void wait() {
    releasing.reset(); // or the zygote's end would go unseen
    char byte = 0;
    if (::read(waiting.get(), &byte, 1) != 1)
      ::_exit(125);
  }

  void release() {
    if (::write(releasing.get(), "", 1) != 1) // which cannot be: this process holds the other end as well
      ::_exit(1);
  }
};

/// How many descriptors of a launch come before its `tasks`, besides those that each has.
size_t others_of(const zygote_request& request) noexcept {
  return (request.has_network ? 1U : 0U) + (request.has_birthplace ? 1U : 0U);
}

class zygote {
public:
  zygote()
    : home_{static_cast<int>(check(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open the zygote's network"))} {
    networks_.push_back(make_network());
    unused_network_ = network_reading();
    go_home();
  }

  /// Answers requests until the node is gone.
  void serve_node();

private:
  void answer(const wire::fd_message& message);
  void prepare();
  void launch(const zygote_request& request, const std::vector<unique_fd>& fds);
  uint32_t parts_prepared() const;
  static unique_fd take(std::vector<unique_fd>& from, unique_fd (*make)());
  unique_fd enter_network(const unique_fd* left_by_another);
  void make_shell(const zygote_request& request, const std::vector<unique_fd>& fds);
  void enter(const std::vector<unique_fd>& fds);
  void grow(int control);
  void take_packages(int control, barrier& gate) noexcept;
  void go_home();

  /// Back there at the end of a block, however that ends.
  struct excursion {
    zygote& of;
    ~excursion() { of.go_home(); }
  };

  [[noreturn]] void run_child(const zygote_request& request, const std::vector<unique_fd>& fds, int tmp,
                              barrier& gate) noexcept;

  unique_fd home_;                  ///< its own network namespace, which it leaves for the moment of a clone
  std::vector<unique_fd> networks_; ///< made ahead
  std::vector<unique_fd> tmps_;     ///< the same
  std::string unused_network_;      ///< what one reads like that nobody has used
  bool has_packages_ = false;       ///< which may have asked to be told of forks
};

void zygote::serve_node() {
  while (auto message = wire::receive_message(control_fd, sizeof(zygote_request))) {
    try {
      answer(*message);
    } catch (const std::system_error& error) {
      tell_failure(control_fd, error);
    }
  }
}

void zygote::answer(const wire::fd_message& message) {
  const auto request = message_of<zygote_request>(message.bytes);
  if (request && request->kind == request_kind::prepare)
    return prepare();
  if (request && request->kind == request_kind::launch
      && message.fds.size() >= launch_fd::first_other + others_of(*request))
    return launch(*request, message.fds);
  if (request && request->kind == request_kind::shell
      && message.fds.size() >= shell_fd::first_other + (request->inside ? 1 : 0))
    return make_shell(*request, message.fds);
  if (request && request->kind == request_kind::enter && message.fds.size() >= enter_fd::first_cgroup)
    return enter(message.fds);
  if (request && request->kind == request_kind::grow && message.fds.size() == 1)
    return grow(message.fds.front().get());
  throw std::system_error{EBADMSG, std::generic_category(), "understand a request"};
}

void zygote::prepare() {
  if (networks_.size() <= tmps_.size()) {
    const excursion away{*this};
    networks_.push_back(make_network());
  } else {
    tmps_.push_back(make_tmp());
  }
  zygote_reply reply;
  reply.kind = reply_kind::prepared;
  reply.parts_prepared = parts_prepared();
  tell(control_fd, reply);
}

uint32_t zygote::parts_prepared() const {
  return static_cast<uint32_t>(std::min(networks_.size(), tmps_.size()));
}

/// Back to its own network namespace, so that a sandbox's goes with the sandbox. Without that it cannot go on.
void zygote::go_home() {
  if (::setns(home_.get(), CLONE_NEWNET) != 0)
    ::_exit(1);
}

unique_fd zygote::take(std::vector<unique_fd>& from, unique_fd (*make)()) {
  if (from.empty())
    return make();
  unique_fd last = std::move(from.back());
  from.pop_back();
  return last;
}

/// Goes where the child is to be: in the network that another sandbox has left, or, when there is none or somebody has
/// used it, in a new one, which it returns.
unique_fd zygote::enter_network(const unique_fd* left_by_another) {
  if (left_by_another != nullptr && !unused_network_.empty() && ::setns(left_by_another->get(), CLONE_NEWNET) == 0
      && network_reading() == unused_network_)
    return {};
  unique_fd made = take(networks_, make_network);
  check(::setns(made.get(), CLONE_NEWNET), "enter the sandbox's network");
  return made;
}

void zygote::launch(const zygote_request& request, const std::vector<unique_fd>& fds) {
  const unique_fd tmp = take(tmps_, make_tmp);
  barrier gate;
  const excursion away{*this};
  const unique_fd made = enter_network(request.has_network ? &fds[launch_fd::first_other] : nullptr);
  unique_fd pidfd;
  if (has_packages_)
    before_fork();
  const int birthplace = request.has_birthplace ? fds[launch_fd::first_other + others_of(request) - 1].get() : -1;
  const pid_t pid = clone_sibling(sandbox_namespaces(), birthplace, pidfd);
  if (pid == 0)
    run_child(request, fds, tmp.get(), gate);
  const int told[] = {pidfd.get(), made.get()};
  const std::span child{told, 1};
  try {
    check(pid, "clone a sandbox");
    write_id_maps(pid, request.ids);
    // The node is told first: a child that it does not know of never gets past the barrier.
    zygote_reply reply;
    reply.kind = reply_kind::launched;
    reply.parts_prepared = parts_prepared();
    tell(control_fd, reply, made ? std::span{told} : child);
    gate.release();
  } catch (const std::system_error& error) {
    tell_failure(control_fd, error, pidfd ? child : std::span<const int>{}); // the child ends at the barrier
  }
  if (has_packages_)
    after_fork_parent();
}

/// No Python in this: the holder of a shell never runs any.
void zygote::make_shell(const zygote_request& request, const std::vector<unique_fd>& fds) {
  barrier gate;
  fd_numbers cgroups{fds, shell_fd::first_other + (request.inside ? 1 : 0)};
  made_by_messenger made;
  const char* failed = handlers::make_shell({.ids = request.ids,
                                             .inside = request.inside ? fds[shell_fd::first_other].get() : -1,
                                             .set_up = fds[shell_fd::set_up].get(),
                                             .cgroups = cgroups.all(),
                                             .gate = gate.waiting.get(),
                                             .gate_end = gate.releasing.get()},
                                            made);
  tell_made(control_fd, failed, made);
  if (failed == nullptr)
    gate.release();
}

void zygote::enter(const std::vector<unique_fd>& fds) {
  before_fork();
  send_child_in(control_fd, fds, become_template);
  after_fork_parent();
}

/// Clones a zygote; it returns from here, too, and serves the node by a control socket of its own.
void zygote::grow(int control) {
  barrier gate;
  unique_fd pidfd;
  before_fork();
  const pid_t pid = clone_sibling(0, -1, pidfd);
  if (pid == 0)
    return take_packages(control, gate);
  const int child[] = {pidfd.get()};
  try {
    check(pid, "clone a zygote");
    zygote_reply reply;
    reply.kind = reply_kind::grown;
    tell(control_fd, reply, child);
    gate.release();
  } catch (const std::system_error& error) {
    tell_failure(control_fd, error);
  }
  after_fork_parent();
}

/// In the clone. noexcept: an error that got out of here would be told in the name of the one it was cloned from.
void zygote::take_packages(int control, barrier& gate) noexcept {
  gate.wait();
  ::setpgid(0, 0); // the node looks for untold children in a zygote's group
  ::prctl(PR_SET_NAME, "troupe-packages");
  if (::dup3(control, control_fd, O_CLOEXEC) < 0)
    ::_exit(126);
  networks_.clear();
  tmps_.clear();
  after_fork_child();
  const auto words = wire::receive_message(control_fd, limits::growth_report_bytes_max);
  const auto packages = words ? decode_packages(words->bytes) : std::nullopt;
  if (!packages)
    ::_exit(0); // the node is gone
  const auto begin = std::chrono::steady_clock::now();
  has_packages_ = true;
  auto [failure, culprit, loaded] = import_packages(*packages);
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  const auto report = encode(growth_report{.failure = std::move(failure),
                                           .culprit = std::move(culprit),
                                           .import_us = static_cast<uint64_t>(time.count()),
                                           .loaded = std::move(loaded)});
  if (report.size() > limits::growth_report_bytes_max || !wire::send_message(control_fd, report))
    ::_exit(1);
}

/// noexcept: an error that got out of here would find the zygote's handlers, and a second zygote would run.
void zygote::run_child(const zygote_request& request, const std::vector<unique_fd>& fds, int tmp,
                       barrier& gate) noexcept {
  gate.wait();
  const fd_numbers cgroups{fds, launch_fd::first_other + others_of(request)};
  build_cage({.events = fds[launch_fd::events].get(),
              .answers = fds[launch_fd::answers].get(),
              .log = fds[launch_fd::log].get(),
              .set_up = fds[launch_fd::set_up].get(),
              .tmp = tmp,
              .cgroups = cgroups.all()});
  ::prctl(PR_SET_NAME, "troupe-sandbox");
  if (has_packages_)
    after_fork_child();
  if (!reseed())
    give_up("make random numbers of its own");
  if (request.rehearse && !launch_waits(cage_set_up) && !rehearse())
    give_up("rehearse");
  auto launch = receive_launch(cage_set_up);
  if (!launch && errno == 0)
    ::_exit(0); // the node has no use for it any more
  if (!launch)
    give_up("learn what to serve");
  close_cage(launch->bundle.release(), launch->what.ephemeral_storage_mb);
  serve(handler_of(std::move(launch->what)), {.events = cage_events, .answers = cage_answers}, bundle_path);
}

/// Goes on in a new process: one that unshared its PID namespace is not in the new one itself, and only one that is in
/// there can clone into namespaces below it. The node is told of it first.
void become_zygote() {
  const unique_fd keeper = start_keeper(life_fd);
  barrier gate;
  unique_fd pidfd;
  if (check(clone_sibling(0, -1, pidfd), "clone the zygote") == 0) {
    ::close(life_fd);
    return gate.wait();
  }
  const int processes[] = {keeper.get(), pidfd.get()};
  zygote_reply reply;
  reply.kind = reply_kind::kept;
  tell(control_fd, reply, processes);
  gate.release();
  ::_exit(0);
}

/// What a zygote does before it can launch, in order.
void settle(const std::string& mount_point, const std::string& resolv_conf, const std::vector<std::string>& layers) {
  ::umask(022);
  check(::close_range(life_fd + 1, ~0U, 0), "close what the node left open");
  check(::fcntl(control_fd, F_SETFD, FD_CLOEXEC), "keep the control socket");
  check(::unshare(CLONE_NEWNS), "make a mount namespace");
  build_tree({.mount_point = mount_point, // as the machine's root still
              .resolv_conf = resolv_conf,
              .layers = layers,
              .rehearsal = {"rehearsal.py", "import json\n\n\ndef handler(event):\n    return event\n"}});
  enter_zygote_namespaces();
  become_zygote();
  enter_tree();
  // A huge page would be copied as a whole at a child's first write into it.
  check(::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "switch huge pages off");
  prepare_syscall_filters();
  std::vector<std::string> folders;
  for (size_t i = 0; i < layers.size(); ++i)
    folders.push_back(layer_path(i));
  start_interpreter(folders, bundle_path);
  restrict_zygote();
}

} // namespace

int run_zygote(const std::string& mount_point, const std::string& resolv_conf, const std::vector<std::string>& layers) {
  try {
    settle(mount_point, resolv_conf, layers);
    zygote self;
    zygote_reply reply;
    reply.kind = reply_kind::ready;
    tell(control_fd, reply);
    self.serve_node();
  } catch (const std::system_error& error) {
    if (!tell_failure(control_fd, error))
      std::fprintf(stderr, "troupe-python3: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0); // without the interpreter's end: there is nothing to save
}

} // namespace troupe::python
