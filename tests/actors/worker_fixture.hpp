#pragma once

#include "actors/worker.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/wire/frames.hpp"

#include <deque>

#include "actor_fixture.hpp"

/// A worker between a launcher, a store and a ledger that the test plays, with sandboxes whose processes it plays, too.
namespace troupe::test {

using namespace std::chrono_literals;

/// The other ends of a sandbox's pipes, where a handler process would be: plays it from the test.
struct played_handler {
  unique_fd events;
  unique_fd answers;
  unique_fd log;

  /// The payload of the next event, or nothing when none has come.
  std::optional<std::string> event() {
    char bytes[4096];
    const auto n = read(events.get(), bytes, sizeof bytes);
    if (n > 0)
      have.append(bytes, static_cast<size_t>(n));
    const auto prefix = wire::read_prefix(have);
    if (!prefix || have.size() < prefix->total())
      return std::nullopt;
    auto payload = have.substr(wire::prefix_bytes + prefix->header_bytes, prefix->payload_bytes);
    have.erase(0, prefix->total());
    return payload;
  }

  void say(wire::frame_kind kind, wire::reply_flag flag = wire::reply_flag::none, const std::string& payload = {}) {
    std::string bytes;
    wire::encode_reply(bytes, {kind, flag}, payload.size());
    bytes += payload;
    CAF_REQUIRE_EQUAL(write(answers.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  void print(const std::string& text) {
    CAF_REQUIRE_EQUAL(write(log.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  std::string have;
};

/// What the launcher of the test was asked for, and what it answers.
struct launches {
  std::deque<played_handler> handlers; ///< in the order of their launch
  std::vector<handlers::sandbox_spec> specs;
  uint32_t buried = 0;
  std::vector<caf::weak_actor_ptr> buriers; ///< the actors that asked for it
  handlers::sandbox_death death{handlers::sandbox_death::cause::exited, 1, 5 * limits::mib};
  bool broken = false;
  bool with_process = false; ///< a real one behind each sandbox, which does nothing
};

inline unique_fd start_idle_process() {
  const pid_t child = fork();
  if (child == 0) {
    close_range(3, ~0U, 0); // the pipes of the others
    for (;;)
      pause();
  }
  CAF_REQUIRE_GREATER(child, 0);
  return handlers::open_process(child);
}

inline launcher_actor::behavior_type fake_launcher(launcher_actor::pointer self, launches* seen) {
  return {
    [seen](atom::launch, const handlers::sandbox_spec& spec) -> caf::result<process_ptr> {
      if (seen->broken)
        return make_error(errc::sandbox_failed, "no more namespaces");
      int events[2];
      int answers[2];
      int log[2];
      CAF_REQUIRE_EQUAL(pipe2(events, O_CLOEXEC | O_NONBLOCK), 0);
      CAF_REQUIRE_EQUAL(pipe2(answers, O_CLOEXEC | O_NONBLOCK), 0);
      CAF_REQUIRE_EQUAL(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
      auto process = std::make_shared<handlers::sandbox_process>();
      process->pid = getpid();
      if (seen->with_process)
        process->pidfd = start_idle_process();
      process->events.reset(events[1]);
      process->answers.reset(answers[0]);
      process->log.reset(log[0]);
      seen->handlers.push_back({unique_fd{events[0]}, unique_fd{answers[1]}, unique_fd{log[1]}, {}});
      seen->specs.push_back(spec);
      return process;
    },
    [](atom::examine, const process_ptr&) { return std::string{}; },
    [self, seen](atom::bury, const process_ptr& process) {
      if (seen->with_process)
        CAF_CHECK(handlers::reap(process->pidfd.get(), std::chrono::milliseconds{0}));
      ++seen->buried;
      seen->buriers.push_back(caf::actor_cast<caf::weak_actor_ptr>(self->current_sender()));
      return seen->death;
    },
    [](atom::prepare, bool) {},
    [](atom::prepare) {},
    [](atom::tick) {},
  };
}

inline handler_store_actor::behavior_type fake_store(handler_store_actor::pointer, std::vector<digest>* released) {
  return {
    [](atom::create, const function_config&, const std::string&) { return function_version{}; },
    [](atom::change, const std::string&, const std::string&, const function_change&) { return function_version{}; },
    [](atom::get, const std::string&, const std::string&) { return function_version{}; },
    [](atom::list, const std::string&) { return std::vector<function_version>{}; },
    [](atom::remove, const std::string&, const std::string&) { return caf::unit; },
    [](atom::bundle, const digest&) { return std::string{}; },
    [](atom::part, const digest&, uint64_t) { return bundle_part{}; },
    [](atom::unpack, const digest& bundle) { return "/bundles/" + bundle.hex(); },
    [](atom::follow, const balancer_actor&) { return caf::unit; },
    [](atom::follow, const worker_actor&) { return caf::unit; },
    [released](atom::release, const digest& bundle) { released->push_back(bundle); },
  };
}

inline ledger_actor::behavior_type fake_ledger(ledger_actor::pointer, std::vector<usage_record>* stored) {
  return {
    [stored](atom::append, const std::vector<usage_record>& records) {
      stored->insert(stored->end(), records.begin(), records.end());
    },
    [stored](atom::append, const usage_record& record, const outcome& result) {
      stored->push_back(record);
      return result;
    },
    [](atom::flush) { return caf::unit; },
    [](atom::records, const ledger_filter&) { return std::vector<usage_record>{}; },
    [](atom::usage, const ledger_filter&) { return std::vector<usage_row>{}; },
    [](atom::verify) { return verify_report{}; },
    [](atom::metrics) { return std::vector<function_metrics>{}; },
  };
}

struct worker_fixture : actor_fixture {
  worker_fixture() { start({}); }

  ~worker_fixture() override {
    caf::anon_send_exit(worker, caf::exit_reason::kill);
    settle();
  }

  void start(const std::function<void(worker_settings&)>& adjust) {
    worker_settings settings;
    settings.loop = &loop;
    settings.store = sys.spawn(fake_store, &released);
    settings.launcher = sys.spawn(fake_launcher, &seen);
    settings.ledger = sys.spawn(fake_ledger, &stored);
    settings.books = accountant{{}, "n1"};
    settings.pool.memory_bytes = limits::gib;
    settings.pool.sandboxes_max = 10;
    settings.pool.queue_limit = 4;
    settings.pool.launches_max = 8;
    settings.pool.loads_max = 32;
    settings.pool.width = 4;
    if (adjust)
      adjust(settings);
    worker = sys.spawn(troupe::worker, std::move(settings));
    settle();
  }

  /// Runs actors and sockets until neither has anything to do. Time stands still.
  void settle() {
    do
      sched.run();
    while (poll_all(loop) || sched.has_job());
  }

  /// Asks the worker to run an event; the answer can be taken once it is there.
  struct asked {
    caf::optional<outcome> result;
    caf::error error;
  };

  std::shared_ptr<asked> invoke(const std::string& payload = "{}",
                                const function_version& version = version_of("echo", 1)) {
    auto answer = ask(payload, version);
    settle();
    return answer;
  }

  /// The same, and nothing has happened yet.
  std::shared_ptr<asked> ask(const std::string& payload = "{}",
                             const function_version& version = version_of("echo", 1)) {
    auto call = call_of("echo", payload);
    call.function = function_ptr{version};
    call.wants_log = true;
    auto answer = std::make_shared<asked>();
    sys.spawn([answer, call, to = worker](caf::event_based_actor* asker) {
      asker->request(to, caf::infinite, atom::invoke::value, call)
        .then([answer](outcome& o) { answer->result = std::move(o); },
              [answer](caf::error& e) { answer->error = std::move(e); });
    });
    return answer;
  }

  /// The actor of a sandbox, which the worker alone knows.
  sandbox_inner actor_of(sandbox_slot slot) const {
    const auto& inside = dynamic_cast<const caf::stateful_actor<worker_state, worker_inner::base>&>(
      *caf::actor_cast<caf::abstract_actor*>(worker));
    return inside.state.sandboxes.at(slot).actor;
  }

  /// A sandbox of the function that is idle.
  played_handler& warm() {
    auto first = invoke();
    auto& handler = seen.handlers.back();
    handler.say(wire::frame_kind::ready);
    settle();
    CAF_REQUIRE(handler.event());
    reply(handler, "1");
    CAF_REQUIRE(first->result);
    return handler;
  }

  void reply(played_handler& handler, const std::string& payload, wire::reply_flag flag = wire::reply_flag::none) {
    handler.say(wire::frame_kind::result, flag, payload);
    settle();
  }

  /// True once the drain has ended.
  std::shared_ptr<bool> drain(caf::timespan patience) {
    auto drained = std::make_shared<bool>(false);
    sys.spawn([drained, patience, to = worker](caf::event_based_actor* asker) {
      asker->request(caf::actor_cast<caf::actor>(to), caf::infinite, atom::drain::value, patience).then([drained] {
        *drained = true;
      });
    });
    settle();
    return drained;
  }

  template <class... Ts>
  void tell(Ts... message) {
    caf::anon_send(worker, std::move(message)...);
    settle();
  }

  io_loop loop;
  launches seen;
  std::vector<digest> released;
  std::vector<usage_record> stored;
  worker_inner worker;
};

} // namespace troupe::test
