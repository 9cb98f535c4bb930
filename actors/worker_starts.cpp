#include "actors/worker_steps.hpp"
#include "config/errc.hpp"
#include "handlers/bundle/archive.hpp"

#include <spdlog/spdlog.h>

namespace troupe::working {

namespace {

using std::chrono::steady_clock;

void fail_one_waiting(worker_state& st, const uuid& revision, caf::error why) {
  if (const auto ticket = st.pool.take_waiting(revision))
    st.waiting.fail(*ticket, std::move(why));
}

/// What one who waits is told. What the machine does not offer, its operator can change: that is told. What went wrong
/// inside is logged only. A bundle that cannot be had now may be had later.
caf::error told_of(const caf::error& why) {
  switch (code_of(why)) {
    case errc::unavailable: return make_error(errc::unavailable, "the function's code is not here: " + what_of(why));
    case errc::not_supported: return make_error(errc::sandbox_failed, what_of(why));
    default: return make_error(errc::sandbox_failed, "the sandbox could not be started");
  }
}

void start_failed(self_pointer self, const sandbox_pool::start& what, const caf::error& why) {
  auto& st = self->state;
  const bool for_copies = what.role == handlers::sandbox_role::its_template;
  spdlog::error("no {} for {}: {}", for_copies ? "template" : "sandbox",
                st.revisions[what.revision].function->config.name, what_of(why));
  st.pool.gone(what.slot, steady_clock::now());
  if (!for_copies) // Without a template those who wait get sandboxes all the same.
    fail_one_waiting(st, what.revision, told_of(why));
  settle(self);
  forget_unused(self);
}

/// Whether it is known where the bundle has been unpacked. Most were when they were deployed: then nobody has to be
/// asked.
bool has_bundle(const worker_state& st, worker_state::revision& known) {
  if (!known.bundle_dir.empty())
    return true;
  auto expected = handlers::unpacked_at(st.settings.bundles, known.function->bundle);
  std::error_code ignored; // What cannot be looked at is asked for.
  if (!std::filesystem::exists(expected, ignored))
    return false;
  known.bundle_dir = std::move(expected);
  return true;
}

void launch(self_pointer self, const sandbox_pool::start& what) {
  auto& st = self->state;
  const auto& [slot, revision, role, copy_of] = what;
  const auto& known = st.revisions[revision];
  auto spec = spec_of(*known.function, known.bundle_dir);
  spec.role = role;
  if (copy_of && st.sandboxes[*copy_of].process)
    spec.copy_of = st.sandboxes[*copy_of].process->slot;
  const auto ordered = steady_clock::now();
  // No time limit here and below: the launcher has its own, an answer that came later would be a sandbox that nobody
  // owns, and the clock would keep whoever asked until then.
  self->request(st.settings.launcher, caf::infinite, atom::launch::value, std::move(spec))
    .then(
      [self, what, ordered](const process_ptr& process) {
        auto& state = self->state;
        sandbox_settings settings{state.settings.loop,
                                  caf::actor_cast<worker_inner>(self),
                                  state.settings.launcher,
                                  state.settings.ledger,
                                  state.settings.books,
                                  answer_order_of(state.settings.flush_interval),
                                  state.settings.freeze_after,
                                  state.load,
                                  what.slot,
                                  state.revisions[what.revision].function,
                                  ordered,
                                  what.role};
        if (state.sandboxes.size() <= what.slot)
          state.sandboxes.resize(what.slot + 1);
        state.sandboxes[what.slot] = {self->spawn<caf::monitored>(sandbox, std::move(settings), process), process};
      },
      [self, what](const caf::error& why) { start_failed(self, what, why); });
}

} // namespace

void start(self_pointer self, const sandbox_pool::start& what) {
  auto& known = self->state.revisions[what.revision];
  if (has_bundle(self->state, known)) {
    launch(self, what);
    return;
  }
  self->request(self->state.settings.store, caf::infinite, atom::unpack::value, known.function->bundle)
    .then(
      [self, what](std::string& dir) {
        self->state.revisions[what.revision].bundle_dir = std::move(dir);
        launch(self, what);
      },
      [self, what](const caf::error& why) { start_failed(self, what, why); });
}

void answer_failed_set_up(self_pointer self, const uuid& revision, const failed_set_up& failed) {
  auto& st = self->state;
  const auto known = st.revisions.find(revision);
  if (known == st.revisions.end())
    return;
  spdlog::error("a sandbox of {} failed: {}", known->second.function->config.name, failed.why);
  const auto before = std::exchange(known->second.set_up_failed, steady_clock::now());
  if (before && failed.ordered > *before)
    fail_one_waiting(st, revision, told_of(make_error(errc::sandbox_failed)));
}

void answer_failed_start(self_pointer self, const uuid& revision, failed_start& failed) {
  auto& st = self->state;
  const auto ticket = st.pool.take_waiting(revision);
  if (!ticket)
    return;
  auto [call, promise, sender, told] = st.waiting.take(*ticket);
  if (failed.document.empty())
    failed.document = failed.what.status == invocation_status::timeout
                      ? init_timeout_document(call)
                      : failure_document(call, failed.what.status, failed.death);
  failed.what.queued = since_received(call) - failed.what.init;
  failed.what.bytes_out = failed.document.size();
  auto record = st.settings.books.record(call, failed.what);
  outcome result{call.id, failed.what.status, std::move(failed.document), {}, record.version, record.run_ns, true, {}};
  if (call.wants_log)
    result.log_tail = framed_log(record, std::move(failed.log));
  answer(answer_order_of(st.settings.flush_interval), st.settings.ledger, promise, std::move(result), std::move(record),
         [self](usage_record&& left) { keep(self, std::move(left)); });
}

} // namespace troupe::working
