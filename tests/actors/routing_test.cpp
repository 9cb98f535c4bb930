#define CAF_SUITE actors.routing

#include "actors/balancer.hpp"

#include "fake_worker.hpp"

using namespace troupe;

namespace {

/// A worker as the test has it.
struct played_worker {
  uint32_t asked = 0;
  bool draining = false; ///< refuses
  bool silent = false;   ///< never answers, as one on a node that is lost
  bool queueing = false; ///< tells that it waits; and never answers
  bool ending = false;   ///< ends what has begun
  bool full = false;     ///< has it wait, and then no room for it
  uint64_t ticket = 0;   ///< of the latest
  dispatcher_actor balancer;
};

worker_actor::behavior_type fake_worker(worker_actor::pointer self, played_worker* as) {
  return test::fake_worker(
    [self, as](atom::invoke, const invocation& call) -> caf::result<outcome> {
      ++as->asked;
      if (as->draining)
        return make_error(errc::shutting_down);
      as->ticket = call.ticket;
      if (as->queueing || as->full)
        self->send(caf::actor_cast<dispatcher_actor>(self->current_sender()), atom::queued::value, call.ticket);
      if (as->ending)
        return make_error(errc::node_lost);
      if (as->full)
        return make_throttled(throttle::waited_too_long);
      if (as->silent || as->queueing)
        return self->make_response_promise<outcome>();
      outcome result;
      result.id = call.id;
      result.payload = call.payload;
      return result;
    },
    [](atom::refuse, const invocation&, throttle why) -> caf::result<outcome> { return make_throttled(why); },
    [as](atom::follow, const dispatcher_actor& who) { as->balancer = who; });
}

struct fixture : test::actor_fixture {
  fixture() {
    for (auto& each : played)
      workers.push_back(sys.spawn(fake_worker, &each));
    use(policy_kind::round_robin);
  }

  /// From now on a new balancer, of that policy.
  void use(policy_kind policy) {
    caf::anon_send_exit(balancer, caf::exit_reason::kill);
    balancer_settings settings;
    settings.policy = policy;
    balancer = sys.spawn(troupe::balancer, std::move(settings));
    caf::anon_send(balancer, atom::update::value, function_ptr{test::version_of("echo", 1)});
    tell_members(2);
  }

  /// What comes again with time would keep the system running.
  ~fixture() override {
    caf::anon_send_exit(balancer, caf::exit_reason::kill);
    sched.run();
  }

  /// A node without a worker, and the first of the workers.
  void tell_members(size_t count) {
    std::vector<member> all(1);
    all[0].name = "store";
    for (size_t i = 0; i < count; ++i) {
      member who;
      who.name = "worker-" + std::to_string(i);
      who.worker = workers[i];
      who.load.ready = true;
      all.push_back(who);
    }
    caf::anon_send(balancer, atom::members::value, std::move(all));
    sched.run();
  }

  /// What has become of an invocation; neither, while nothing has.
  struct answer {
    caf::optional<outcome> result;
    caf::error problem;
  };

  std::shared_ptr<answer> invoke(bool repeatable = false, const char* name = "echo") {
    auto call = test::call_of(name);
    call.payload = "1";
    call.repeatable = repeatable;
    auto seen = std::make_shared<answer>();
    sys.spawn([seen, call, to = balancer](caf::event_based_actor* asker) {
      asker->request(to, caf::infinite, atom::invoke::value, call)
        .then([seen](outcome& result) { seen->result = std::move(result); },
              [seen](caf::error& why) { seen->problem = std::move(why); });
    });
    sched.run();
    return seen;
  }

  std::array<played_worker, 3> played;
  std::vector<worker_actor> workers;
  balancer_inner balancer;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(routing_tests, fixture)

CAF_TEST(invocations are spread over the workers) {
  for (int i = 0; i < 4; ++i)
    CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[0].asked, 2u);
  CAF_CHECK_EQUAL(played[1].asked, 2u);
}

CAF_TEST(without a worker there is a clear error) {
  tell_members(0);
  CAF_CHECK(code_of(invoke()->problem) == errc::unavailable);
}

CAF_TEST(a load that is told alone counts and one of nobody known does not ) {
  member busy;
  busy.name = "worker-0";
  busy.worker = workers[0];
  busy.load.busy = 100;
  busy.draining = true; // what no policy overlooks
  caf::anon_send(balancer, atom::announce::value, busy);
  busy.name = "stranger";
  caf::anon_send(balancer, atom::announce::value, busy);
  busy.name = "worker-1";
  busy.worker = workers[2]; // another one than that node has
  caf::anon_send(balancer, atom::announce::value, busy);
  sched.run();
  for (int i = 0; i < 4; ++i)
    CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[1].asked, 4u);
}

CAF_TEST(one that drains before anybody has heard of it costs nobody anything) {
  played[0].draining = true;
  for (int i = 0; i < 4; ++i)
    CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[1].asked, 4u);
}

CAF_TEST(when all drain the caller hears that) {
  played[0].draining = true;
  played[1].draining = true;
  CAF_CHECK(code_of(invoke()->problem) == errc::shutting_down);
}

CAF_TEST(what ran on a node that is lost is answered) {
  played[0].silent = true;
  played[1].silent = true;
  const auto first = invoke();
  const auto second = invoke();
  CAF_CHECK(!first->result && !first->problem);
  tell_members(1);
  // Round robin: one of the two was with the worker that is gone.
  const auto& lost = first->problem ? first : second;
  const auto& going_on = first->problem ? second : first;
  CAF_CHECK(code_of(lost->problem) == errc::node_lost);
  CAF_CHECK(!going_on->result && !going_on->problem);
  tell_members(0);
  CAF_CHECK(code_of(going_on->problem) == errc::node_lost);
}

CAF_TEST(a worker that is there anew is another one) {
  played[0].silent = true;
  const auto lost = invoke();
  const auto other = invoke();
  workers[0] = workers[2];
  tell_members(2);
  CAF_CHECK((lost->problem ? 1 : 0) + (other->problem ? 1 : 0) == 1);
  CAF_CHECK(invoke()->result);
  CAF_CHECK(invoke()->result);
  CAF_CHECK_EQUAL(played[2].asked, 1u);
}

CAF_TEST(what only waited on a node that is lost goes elsewhere unseen) {
  played[0].queueing = true;
  const auto first = invoke();
  const auto second = invoke();
  CAF_CHECK_EQUAL((first->result ? 1 : 0) + (second->result ? 1 : 0), 1);
  workers[0] = workers[1]; // the node of the first is gone
  tell_members(1);
  CAF_CHECK(first->result && second->result);
}

CAF_TEST(what had begun after its wait does not ) {
  played[0].queueing = true;
  const auto first = invoke();
  const auto second = invoke();
  caf::anon_send(balancer, atom::begun::value, played[0].ticket);
  sched.run();
  tell_members(0);
  CAF_CHECK(code_of(first->problem) == errc::node_lost || code_of(second->problem) == errc::node_lost);
}

CAF_TEST(what may run twice runs again elsewhere) {
  auto twice = test::version_of("twice", 2);
  twice.config.idempotent = true;
  caf::anon_send(balancer, atom::update::value, function_ptr{twice});
  for (const bool by_caller : {true, false}) {
    tell_members(2);
    played[0].silent = played[1].silent = true;
    const auto first = by_caller ? invoke(true) : invoke(false, "twice");
    const auto second = by_caller ? invoke(true) : invoke(false, "twice");
    CAF_CHECK(!first->result && !second->result);
    std::swap(workers[0], workers[2]);
    tell_members(1); // both are gone, and another one is there
    CAF_CHECK(first->result && second->result);
    std::swap(workers[0], workers[2]);
  }
}

CAF_TEST(what a drain has ended half - way is run again only if that does no harm) {
  played[0].ending = true;
  for (int i = 0; i < 2; ++i)
    CAF_CHECK(invoke(true)->result);
  const auto first = invoke();
  const auto second = invoke();
  CAF_CHECK(code_of(first->problem) == errc::node_lost || code_of(second->problem) == errc::node_lost);
}

CAF_TEST(who has waited in vain is refused once) {
  played[0].full = played[1].full = true;
  const auto refused = invoke();
  CAF_CHECK(code_of(refused->problem) == errc::too_many_requests);
  CAF_CHECK_EQUAL(played[0].asked + played[1].asked, 1u);
}

CAF_TEST(one that has refused is not asked again before it reports) {
  use(policy_kind::warm_first);
  played[0].draining = true;
  for (int i = 0; i < 8; ++i)
    CAF_CHECK(invoke()->result);
  CAF_CHECK(played[0].asked <= 1);
}

CAF_TEST(nobody waits for ever) {
  played[0].silent = played[1].silent = true;
  const auto waiting = invoke();
  sched.advance_time(limits::answer_grace);
  sched.run();
  CAF_CHECK(!waiting->problem);
  sched.advance_time(std::chrono::seconds{limits::timeout_s_default} + std::chrono::seconds{1});
  sched.run();
  CAF_CHECK(code_of(waiting->problem) == errc::node_lost);
}

CAF_TEST(workers are told who sends to them and that it lives) {
  CAF_REQUIRE(played[0].balancer);
  CAF_CHECK(played[0].balancer.address() == balancer.address());
  self->send(balancer, atom::alive::value, uint64_t{7}); // from a stranger
  sched.run();
  CAF_CHECK_EQUAL(self->mailbox().size(), 0u);
  workers[0] = caf::actor_cast<worker_actor>(self);
  tell_members(1);
  self->send(balancer, atom::alive::value, uint64_t{8});
  sched.run();
  uint64_t number = 0;
  bool followed = false;
  self->receive([&](atom::follow, const dispatcher_actor&) { followed = true; });
  self->receive([&](atom::alive, uint64_t seen) { number = seen; });
  CAF_CHECK(followed);
  CAF_CHECK_EQUAL(number, 8u);
}

CAF_TEST_FIXTURE_SCOPE_END()
