#define CAF_SUITE actors.worker

#include "actors/worker.hpp"

#include "handlers/wire/frames.hpp"

#include <sys/socket.h>

#include <deque>

#include "actor_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

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
  handlers::sandbox_death death{handlers::sandbox_death::cause::exited, 1, 5 * limits::mib};
  bool broken = false;
};

launcher_actor::behavior_type fake_launcher(launcher_actor::pointer, launches* seen) {
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
      process->events.reset(events[1]);
      process->answers.reset(answers[0]);
      process->log.reset(log[0]);
      seen->handlers.push_back({unique_fd{events[0]}, unique_fd{answers[1]}, unique_fd{log[1]}, {}});
      seen->specs.push_back(spec);
      return process;
    },
    [seen](atom::bury, const process_ptr&) {
      ++seen->buried;
      return seen->death;
    },
    [](atom::prepare) {},
  };
}

handler_store_actor::behavior_type fake_store(handler_store_actor::pointer, std::vector<digest>* released) {
  return {
    [](atom::create, const function_config&, const std::string&) { return function_version{}; },
    [](atom::change, const std::string&, const std::string&, const function_change&) { return function_version{}; },
    [](atom::get, const std::string&, const std::string&) { return function_version{}; },
    [](atom::list, const std::string&) { return std::vector<function_version>{}; },
    [](atom::remove, const std::string&, const std::string&) { return caf::unit; },
    [](atom::bundle, const digest&) { return std::string{}; },
    [](atom::unpack, const digest& bundle) { return "/bundles/" + bundle.hex(); },
    [](atom::follow, const balancer_actor&) { return caf::unit; },
    [](atom::follow, const worker_actor&) { return caf::unit; },
    [released](atom::release, const digest& bundle) { released->push_back(bundle); },
  };
}

ledger_actor::behavior_type fake_ledger(ledger_actor::pointer, std::vector<usage_record>* stored) {
  return {
    [stored](atom::append, const std::vector<usage_record>& records) {
      stored->insert(stored->end(), records.begin(), records.end());
    },
    [stored](atom::append, const usage_record& record) {
      stored->push_back(record);
      return caf::unit;
    },
    [](atom::records, const ledger_filter&) { return std::vector<usage_record>{}; },
    [](atom::usage, const ledger_filter&) { return std::vector<usage_row>{}; },
    [](atom::verify) { return verify_report{}; },
    [](atom::metrics) { return std::vector<function_metrics>{}; },
  };
}

struct fixture : test::actor_fixture {
  fixture() { start({}); }

  ~fixture() {
    caf::anon_send_exit(worker, caf::exit_reason::kill);
    settle();
  }

  void start(std::function<void(worker_settings&)> adjust) {
    worker_settings settings;
    settings.io = &io;
    settings.store = sys.spawn(fake_store, &released);
    settings.launcher = sys.spawn(fake_launcher, &seen);
    settings.ledger = sys.spawn(fake_ledger, &stored);
    settings.books = accountant{{}, "n1"};
    settings.pool.memory_bytes = limits::gib;
    settings.pool.sandboxes_max = 10;
    settings.pool.queue_limit = 4;
    settings.pool.launches_max = 8;
    settings.pool.width = 4;
    if (adjust)
      adjust(settings);
    worker = sys.spawn(troupe::worker, std::move(settings));
    settle();
  }

  /// Runs actors and sockets until neither has anything to do. Time stands still.
  void settle() {
    do {
      sched.run();
      io.restart();
    } while (io.poll() > 0 || sched.has_job());
  }

  /// Asks the worker to run an event; the answer can be taken once it is there.
  struct asked {
    caf::optional<outcome> result;
    caf::error error;
  };

  std::shared_ptr<asked> invoke(const std::string& payload = "{}", uint8_t revision = 1) {
    auto call = test::call_of("echo", payload);
    auto version = test::version_of("echo", revision);
    call.function = function_ptr{version};
    call.wants_log = true;
    auto answer = std::make_shared<asked>();
    sys.spawn([answer, call, to = worker](caf::event_based_actor* asker) {
      asker->request(to, caf::infinite, atom::invoke::value, call)
        .then([answer](outcome& o) { answer->result = std::move(o); },
              [answer](caf::error& e) { answer->error = std::move(e); });
    });
    settle();
    return answer;
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

  template <class... Ts>
  void tell(Ts... message) {
    caf::anon_send(worker, std::move(message)...);
    settle();
  }

  boost::asio::io_context io{1};
  launches seen;
  std::vector<digest> released;
  std::vector<usage_record> stored;
  worker_inner worker;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(worker_tests, fixture)

CAF_TEST(a cold invocation starts a sandbox and gets its answer) {
  const auto answer = invoke("{\"n\":1}");
  CAF_REQUIRE_EQUAL(seen.specs.size(), 1u);
  CAF_CHECK_EQUAL(seen.specs[0].handler, "f.f");
  CAF_CHECK(seen.specs[0].bundle_dir.starts_with("/bundles/01"));
  CAF_CHECK(!answer->result);
  auto& handler = seen.handlers.back();
  handler.say(wire::frame_kind::ready);
  settle();
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "{\"n\":1}");
  handler.print("hello\n");
  reply(handler, "{\"n\":2}");
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(answer->result->payload, "{\"n\":2}");
  CAF_CHECK(answer->result->status == invocation_status::ok);
  CAF_CHECK(answer->result->log_tail.find("\nhello\nEND") != std::string::npos);
}

CAF_TEST(the next invocation finds the sandbox warm) {
  auto& handler = warm();
  const auto answer = invoke("7");
  CAF_CHECK_EQUAL(handler.event().value_or("none"), "7");
  reply(handler, "8");
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(seen.specs.size(), 1u);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 2u);
  CAF_CHECK_GREATER(stored[0].init_ns, 0u);
  CAF_CHECK_EQUAL(stored[1].init_ns, 0u);
  CAF_CHECK_EQUAL(stored[1].bytes_in, 1u);
  CAF_CHECK_EQUAL(stored[1].bytes_out, 1u);
}

CAF_TEST(an answer in pieces is one answer) {
  auto& handler = warm();
  const auto answer = invoke();
  const std::string payload(100'000, 'x');
  std::string bytes;
  wire::encode_reply(bytes, {wire::frame_kind::result, wire::reply_flag::none}, payload.size());
  bytes += payload;
  for (size_t at = 0; at < bytes.size(); at += 33'333) {
    const auto piece = bytes.substr(at, 33'333);
    CAF_REQUIRE_EQUAL(write(handler.answers.get(), piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
    settle();
  }
  CAF_REQUIRE(answer->result);
  CAF_CHECK_EQUAL(answer->result->payload.size(), payload.size());
}

CAF_TEST(what a handler raises is an outcome) {
  auto& handler = warm();
  const auto answer = invoke();
  reply(handler, "{\"errorType\":\"ValueError\"}", wire::reply_flag::raised);
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::error);
}

CAF_TEST(an event that is no JSON is the fault of its sender and leaves no record) {
  auto& handler = warm();
  const auto answer = invoke("{");
  reply(handler, "line 1 column 2", wire::reply_flag::invalid_event);
  CAF_CHECK(code_of(answer->error) == errc::invalid_payload);
  tell(atom::flush::value);
  CAF_CHECK_EQUAL(stored.size(), 1u);
}

CAF_TEST(a process that ends in a run is a crash) {
  auto& handler = warm();
  const auto answer = invoke();
  handler.answers.reset();
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::crash);
  CAF_CHECK(answer->result->payload.find("exit status 1") != std::string::npos);
  CAF_CHECK_EQUAL(seen.buried, 1u);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 2u);
  CAF_CHECK_EQUAL(stored[1].memory_peak_bytes, 5 * limits::mib);
}

CAF_TEST(running out of memory is told from a crash) {
  seen.death.why = handlers::sandbox_death::cause::out_of_memory;
  auto& handler = warm();
  const auto answer = invoke();
  handler.answers.reset();
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::out_of_memory);
}

CAF_TEST(garbage from a handler ends its sandbox) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE_EQUAL(write(handler.answers.get(), "\xff\xff\xff\xff\xff\xff\xff\xff", 8), 8);
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::crash);
}

CAF_TEST(a sandbox that ends while idle costs nobody anything) {
  auto& handler = warm();
  handler.answers.reset();
  settle();
  const auto answer = invoke();
  CAF_REQUIRE_EQUAL(seen.specs.size(), 2u);
  auto& second = seen.handlers.back();
  second.say(wire::frame_kind::ready);
  settle();
  reply(second, "2");
  CAF_CHECK(answer->result);
}

CAF_TEST(a handler that does not load answers with its own words) {
  const auto answer = invoke();
  seen.handlers.back().say(wire::frame_kind::failed, wire::reply_flag::none,
                           "{\"errorType\":\"Runtime.ImportModuleError\"}");
  settle();
  CAF_REQUIRE(answer->result);
  CAF_CHECK(answer->result->status == invocation_status::error);
  CAF_CHECK_EQUAL(answer->result->payload, "{\"errorType\":\"Runtime.ImportModuleError\"}");
  CAF_CHECK_EQUAL(seen.buried, 1u);
}

CAF_TEST(a sandbox that cannot be made is the fault of the node) {
  seen.broken = true;
  const auto answer = invoke();
  CAF_CHECK(code_of(answer->error) == errc::sandbox_failed);
}

CAF_TEST(a full queue refuses and records that) {
  for (int i = 0; i < 4; ++i)
    invoke();
  const auto refused = invoke();
  CAF_CHECK(code_of(refused->error) == errc::too_many_requests);
  tell(atom::flush::value);
  CAF_REQUIRE_EQUAL(stored.size(), 1u);
  CAF_CHECK(stored[0].status == invocation_status::throttled);
  CAF_CHECK_EQUAL(stored[0].cost_pico, 0u);
}

CAF_TEST(records can be stored before the answer leaves) {
  start([](auto& settings) { settings.flush_interval = 0ms; });
  warm();
  CAF_CHECK_EQUAL(stored.size(), 1u);
}

CAF_TEST(the bundle of a retired revision is released when its sandbox has gone) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE(handler.event());
  const auto version = test::version_of("echo");
  tell(atom::retire::value, version.revision, version.bundle);
  CAF_CHECK(released.empty());
  reply(handler, "1");
  CAF_CHECK(answer->result);
  CAF_CHECK_EQUAL(seen.buried, 1u);
  CAF_CHECK(released == std::vector{version.bundle});
}

CAF_TEST(a drain lets what runs finish and takes nothing new) {
  auto& handler = warm();
  const auto answer = invoke();
  CAF_REQUIRE(handler.event());
  bool drained = false;
  sys.spawn([&drained, to = worker](caf::event_based_actor* asker) {
    asker->request(caf::actor_cast<caf::actor>(to), caf::infinite, atom::drain::value).then([&drained] {
      drained = true;
    });
  });
  settle();
  CAF_CHECK(!drained);
  CAF_CHECK(code_of(invoke()->error) == errc::shutting_down);
  reply(handler, "1");
  CAF_CHECK(answer->result);
  CAF_CHECK(drained);
  CAF_CHECK_EQUAL(stored.size(), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
