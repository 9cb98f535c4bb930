// The factory's copies of templates. A template runs its tenant's code whenever it makes one: what it says may be a
// lie, and it may take as long as it likes, so that a copy is made step by step, with others' launches in between.
#include "config/errc.hpp"
#include "handlers/sandbox/factory.hpp"
#include "handlers/sandbox/process.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <signal.h>
#include <sys/wait.h>

namespace troupe::handlers {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

caf::error failed(const char* what) {
  return make_error(errc::sandbox_failed, what);
}

/// Slots are used again, so that the one which an order names may be another function's by now.
bool is_template_for(const sandbox_spec& made_of, const sandbox_spec& wanted) {
  const auto parts = [](const sandbox_spec& of) {
    return std::tie(of.runtime, of.handler, of.bundle_dir, of.function_name, of.function_version, of.memory_mb,
                    of.ephemeral_storage_mb, of.reach, of.environment);
  };
  return parts(made_of) == parts(wanted);
}

} // namespace

/// A template may say what it likes: the process must be one that this factory does not know yet, and a child.
bool zygote_factory::is_new_child(int pidfd, int pid) const {
  siginfo_t ignored{};
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ignored, WEXITED | WNOHANG | WNOWAIT) == 0 && !knows(pid);
}

bool zygote_factory::knows(int pid) const {
  const auto is_in = [pid](const cell& place) { return place.pid == pid || place.holder_id == pid; };
  const auto is_blank = [pid](const blank& each) { return each.place.pid == pid; };
  const auto is_around = [&](const template_home& home) {
    return is_in(home.place) || home.place.guard->id() == pid || std::ranges::any_of(home.shells, is_in);
  };
  const auto is_of_copy = [&](const auto& each) {
    const copy_under_way& copy = each.second;
    return !copy.given_up && (is_in(copy.made.place) || copy.messenger_id == pid);
  };
  return std::ranges::any_of(live_, [&](const auto& each) { return is_in(each.second); })
      || std::ranges::any_of(blanks_, is_blank) || std::ranges::any_of(connected_, is_blank) || packages_.knows(pid)
      || (zygote_ && (zygote_->id() == pid || zygote_->shared_keeper()->id() == pid))
      || std::ranges::any_of(copies_, is_of_copy)
      || std::ranges::any_of(templates_, [&](const auto& each) { return is_around(each.second); });
}

caf::expected<zygote_factory::cell> zygote_factory::take_shell(template_home& in) {
  if (in.shells.empty())
    return make_shell(in.of, &in);
  return take_first_shell(in);
}

/// Lets a template send a copy of itself into a shell inside its own.
caf::expected<zygote_factory::copy_under_way> zygote_factory::send_for_copy(template_home& from,
                                                                            const sandbox_spec& spec) {
  auto shell = take_shell(from);
  if (!shell)
    return shell.error();
  auto ends = make_ends();
  caf::error problem = ends ? caf::error{} : ends.error();
  if (!problem && std::exchange(from.frozen, false) && !from.place.group.open_freezer().thaw())
    problem = failed("the template does not go on");
  if (!problem)
    problem = from.control.send({.kind = request_kind::enter}, fds_to_enter(shell->holder, shell->joins, ends->childs));
  if (problem) {
    leave_shell(std::move(*shell));
    return problem;
  }
  shell->joins.clear();
  return copy_under_way{
    .spec = spec, .made = {std::move(*shell), {}, std::move(ends->ours)}, .until = clock::now() + settings_.reply_time};
}

caf::expected<unfinished_launch> zygote_factory::begin_copy(const sandbox_spec& spec) {
  const auto found = templates_.find(*spec.copy_of);
  if (found == templates_.end() || !is_template_for(found->second.of, spec))
    return failed("the template is gone");
  auto& from = found->second;
  if (from.ended || from.control.lost())
    return failed("the template has ended");
  if (from.copying)
    return failed("it is making another copy");
  ++from.sandboxes;
  auto problem = limit_family(from);
  auto begun = problem ? caf::expected<copy_under_way>{std::move(problem)} : send_for_copy(from, spec);
  if (!begun) {
    --from.sandboxes;
    condemn(from);
    return begun.error();
  }
  from.copying = true;
  copies_.emplace(++last_copy_, std::move(*begun));
  return unfinished_launch{last_copy_};
}

/// The template has answered.
caf::error zygote_factory::take_named(template_home& from, copy_under_way& copy) {
  collect_ahead(); // whose process would be one that this factory does not know
  auto answer = from.control.receive(reply_kind::launched, 0ms);
  if (!answer)
    return answer.error();
  auto& named = answer->fds;
  if (named.size() != 2)
    return from.control.lose("it named too many processes");
  const int ids[] = {id_of(named[0].get()), id_of(named[1].get())};
  if (!is_new_child(named[0].get(), ids[0]) || !is_new_child(named[1].get(), ids[1]))
    return from.control.lose("it named processes that are none of its");
  if (ids[0] == ids[1])
    return from.control.lose("it named one process twice");
  copy.made.process = std::move(named[0]);
  copy.made.place.pid = ids[0];
  copy.messenger = std::move(named[1]);
  copy.messenger_id = ids[1];
  return {};
}

/// Waits for the next of its steps, no longer than that in all. Whether it is a sandbox now.
caf::expected<bool> zygote_factory::advance(template_home& from, copy_under_way& copy,
                                            std::chrono::milliseconds patience) {
  const auto until = std::min(clock::now() + patience, copy.until);
  const auto comes = [until](int fd) {
    return wait_readable(fd, std::max(0ms, std::chrono::ceil<std::chrono::milliseconds>(until - clock::now())));
  };
  const auto later = [&](const char* what) -> caf::expected<bool> {
    if (clock::now() < copy.until)
      return false;
    return from.control.lose(what);
  };
  auto& [place, process, ends] = copy.made;
  if (!process) {
    if (!comes(from.control.socket()))
      return later("it does not answer");
    if (auto err = take_named(from, copy))
      return err;
  }
  if (copy.messenger) {
    if (!comes(copy.messenger.get()))
      return later("its messenger does not end");
    reap(copy.messenger.get(), 0ms);
    copy.messenger.reset();
    copy.messenger_id = 0;
  }
  if (ends.set_up) {
    if (!comes(ends.set_up.get()))
      return later("its copy is not set up");
    if (auto err = wait_for_set_up(ends.set_up))
      return err;
    ends.set_up.reset();
  }
  // One that is ending is nowhere already.
  if (!place.group.holds(place.pid) && !comes(process.get()))
    return later("its copy is not in its groups");
  return true;
}

/// Whatever there is of it ends.
void zygote_factory::give_up(copy_under_way& copy) {
  const auto of_template = *copy.made.place.of_template;
  copy.given_up = true;
  copy.messenger.reset(); // reap_strangers sees to it when it ends
  if (!copy.made.process)
    leave_shell(std::move(copy.made.place));
  else if (!discard(std::move(copy.made)))
    return; // it is still one of the template's
  let_go(of_template);
}

/// Its process has been reaped. Who asked for them hears of that when they ask again.
void zygote_factory::give_up_copies(template_home& of) {
  of.copying = false;
  for (auto& [number, copy] : copies_)
    if (!copy.given_up && copy.made.place.of_template == of.place.slot)
      give_up(copy);
}

} // namespace troupe::handlers
