#define CAF_SUITE actors.sandbox_link

#include "actors/sandbox_link.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <vector>

#include "config/limits.hpp"

#include "actor_fixture.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct pipe_ends {
  pipe_ends() {
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }

  unique_fd reading;
  unique_fd writing;
};

/// Somebody else who waits for a turn.
struct neighbour final : turn {
  void take() override { ++turns; }
  int turns = 0;
};

/// Bytes that lie in a pipe.
int unread(const unique_fd& pipe) {
  int bytes = -1;
  CAF_REQUIRE_EQUAL(::ioctl(pipe.get(), FIONREAD, &bytes), 0);
  return bytes;
}

void drain(const unique_fd& pipe, std::string& to) {
  char bytes[4096];
  for (ssize_t n = 0; (n = ::read(pipe.get(), bytes, sizeof bytes)) > 0;)
    to.append(bytes, static_cast<size_t>(n));
}

struct link_fixture {
  link_fixture() {
    log_end.reset(::dup(log.reading.get()));
    handlers::sandbox_process process;
    process.events = std::move(events.writing);
    process.answers = std::move(answers.reading);
    process.log = std::move(log.reading);
    link = sandbox_link::make(loop, loop.turns().lane_of("a"), process,
                              {.on_reply = [this](wire::reply reply) { replies.push_back(std::move(reply.payload)); },
                               .on_closed = [this] { ++closed; },
                               .on_deadline = [this] { ++late; },
                               .on_ended = [] {}});
    look();
  }

  ~link_fixture() {
    link->close();
    test::poll_all(loop);
  }

  /// What has come is taken in; nobody has a turn.
  void look() {
    loop.io().restart();
    loop.io().poll();
  }

  void get_ready() {
    auto bytes = frame("ready");
    write(answers.writing, bytes);
    look();
    CAF_REQUIRE_EQUAL(replies.size(), 1u);
  }

  /// Of another tenant; two share a lane by chance now and then.
  turns::lane other_lane() {
    std::string name = "b";
    while (loop.turns().lane_of(name) == loop.turns().lane_of("a"))
      name += 'b';
    return loop.turns().lane_of(name);
  }

  /// Somebody of another tenant comes while one waits, and is next after that one.
  void take_turn_beside_neighbour() {
    neighbour other;
    loop.turns().wait(other, other_lane());
    loop.turns().take_next();
    CAF_CHECK_EQUAL(other.turns, 0);
    loop.turns().take_next();
    CAF_CHECK_EQUAL(other.turns, 1);
  }

  /// As much of it as the pipe takes.
  void write(const unique_fd& to, std::string& bytes) {
    const auto n = ::write(to.get(), bytes.data(), bytes.size());
    if (n > 0)
      bytes.erase(0, static_cast<size_t>(n));
  }

  std::string frame(const std::string& payload) {
    std::string out;
    wire::encode_reply(out, {wire::frame_kind::result, wire::reply_flag::none}, payload.size());
    return out + payload;
  }

  io_loop loop;
  pipe_ends events, answers, log;
  unique_fd log_end; ///< where the link reads it
  std::vector<std::string> replies;
  int closed = 0;
  int late = 0;
  std::shared_ptr<sandbox_link> link;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(sandbox_link_tests, link_fixture)

CAF_TEST(a short answer is there at the look that finds it) {
  auto bytes = frame("first");
  write(answers.writing, bytes);
  look();
  CAF_CHECK(loop.turns().empty());
  CAF_REQUIRE_EQUAL(replies.size(), 1u);
  CAF_CHECK_EQUAL(replies[0], "first");
}

CAF_TEST(what nobody has asked for is not taken and ends it) {
  auto bytes = frame("first") + frame("second") + frame("third");
  write(answers.writing, bytes);
  test::poll_all(loop);
  CAF_CHECK_EQUAL(replies.size(), 1u);
  CAF_CHECK_EQUAL(closed, 1);
}

CAF_TEST(an answer to an event that has not been sent as a whole ends it) {
  get_ready();
  link->send({"id", 0, {}}, std::string(limits::mib, 'e'));
  auto bytes = frame("too early");
  write(answers.writing, bytes);
  test::poll_all(loop);
  CAF_CHECK_EQUAL(replies.size(), 1u);
  CAF_CHECK_EQUAL(closed, 1);
}

CAF_TEST(another tenant has a turn between two pieces of a long answer) {
  const std::string payload(limits::mib, 'x');
  auto bytes = frame(payload);
  int pieces = 0;
  while (replies.empty()) {
    CAF_REQUIRE(pieces < 100);
    write(answers.writing, bytes);
    look();
    if (loop.turns().empty())
      continue;
    take_turn_beside_neighbour();
    CAF_CHECK(loop.turns().empty()); // the next piece waits for a look
    ++pieces;
  }
  CAF_CHECK(pieces >= static_cast<int>(payload.size() / wire::long_piece_bytes));
  CAF_CHECK(replies[0] == payload);
}

CAF_TEST(another tenant has a turn between two pieces of a long event) {
  get_ready();
  CAF_REQUIRE(::fcntl(events.reading.get(), F_SETPIPE_SZ, 512 * 1024) > 0); // takes more than a piece
  const std::string payload(limits::mib, 'e');
  link->send({"id", 0, {}}, payload);
  CAF_CHECK(unread(events.reading) <= static_cast<int>(wire::long_piece_bytes) + 100);
  std::string got;
  int pieces = 1;
  while (got.size() < payload.size()) {
    CAF_REQUIRE(pieces < 100);
    drain(events.reading, got);
    look();
    if (loop.turns().empty())
      continue;
    const int before = unread(events.reading);
    take_turn_beside_neighbour();
    CAF_CHECK(unread(events.reading) - before <= static_cast<int>(wire::long_piece_bytes));
    ++pieces;
  }
  CAF_CHECK(pieces >= static_cast<int>(payload.size() / wire::long_piece_bytes));
  CAF_CHECK(got.ends_with(payload));
}

CAF_TEST(the tenant itself does not hold up what it has begun) {
  neighbour others[3];
  for (auto& each : others)
    loop.turns().wait(each, loop.turns().lane_of("a"));
  auto bytes = frame(std::string(50'000, 'x'));
  write(answers.writing, bytes);
  look();
  loop.turns().take_next();
  CAF_CHECK_EQUAL(replies.size(), 1u);
  CAF_CHECK_EQUAL(others[0].turns, 0);
}

CAF_TEST(waiting for a turn counts neither for the deadline nor for the run) {
  const auto begin = std::chrono::steady_clock::now();
  link->set_deadline(begin + 1ms);
  auto bytes = frame(std::string(50'000, 'x'));
  write(answers.writing, bytes);
  look();
  CAF_REQUIRE(!loop.turns().empty());
  while (std::chrono::steady_clock::now() < begin + 20ms)
    look();
  CAF_CHECK_EQUAL(late, 0);
  CAF_CHECK(link->waited() > 5ms);
  loop.turns().take_next();
  const auto waited = link->waited();
  CAF_CHECK_EQUAL(replies.size(), 1u);
  while (late == 0 && std::chrono::steady_clock::now() < begin + 10s)
    look();
  CAF_CHECK_EQUAL(late, 1); // it is later by that, and not for ever
  CAF_CHECK(link->waited() == waited);
}

CAF_TEST(of a flooded log one turn takes what is bounded and another tenant has the next) {
  CAF_REQUIRE(::fcntl(log.writing.get(), F_SETPIPE_SZ, 1024 * 1024) > 0);
  for (int round = 0; round < 10; ++round) {
    std::string flood(limits::mib, 'l');
    write(log.writing, flood);
    look();
    CAF_REQUIRE(!loop.turns().empty());
    const int before = unread(log_end);
    take_turn_beside_neighbour();
    const int taken = before - unread(log_end);
    CAF_CHECK(taken > 0 && taken <= 64 * 1024);
    CAF_CHECK(loop.turns().empty());
  }
}

CAF_TEST(of a log in many short writes a look takes one and the rest waits for turns) {
  for (int n = 0; n < 200; ++n) {
    std::string line = "line\n";
    write(log.writing, line);
    loop.io().restart();
    while (loop.io().poll_one() > 0 && loop.turns().empty()) { // what comes as fast as it is read, all in one look
      line = "line\n";
      write(log.writing, line);
    }
    CAF_REQUIRE(!loop.turns().empty());
    loop.turns().take_next();
  }
}

CAF_TEST(of an answer that drips a look takes one read and the rest waits for turns) {
  auto bytes = frame(std::string(300, 'd'));
  int turns = 0;
  while (replies.empty()) {
    CAF_REQUIRE(turns < 400);
    loop.io().restart();
    do { // a byte comes as fast as one is read, all in one look
      auto byte = bytes.substr(0, 1);
      bytes.erase(0, 1);
      write(answers.writing, byte);
    } while (loop.io().poll_one() > 0 && loop.turns().empty() && replies.empty());
    if (!loop.turns().empty()) {
      loop.turns().take_next();
      ++turns;
    }
  }
  CAF_CHECK_EQUAL(replies[0], std::string(300, 'd'));
  CAF_CHECK(turns > 50);
}

CAF_TEST(the end of a log is kept) {
  for (int n = 0; n < 5; ++n) {
    std::string flood(limits::mib, 'l');
    write(log.writing, flood);
    test::poll_all(loop);
  }
  std::string last = "the end";
  write(log.writing, last);
  const auto tail = link->take_log();
  CAF_CHECK_EQUAL(tail.size(), limits::log_tail_bytes);
  CAF_CHECK(tail.ends_with("the end"));
}

CAF_TEST(a line in the log takes no turn) {
  std::string line = "hello\n";
  write(log.writing, line);
  look();
  CAF_CHECK(loop.turns().empty());
  CAF_CHECK_EQUAL(link->take_log(), "hello\n");
}

CAF_TEST(what closes in the midst of a long answer is told and what waits for a turn then does nothing) {
  auto bytes = frame(std::string(100'000, 'x')).substr(0, 50'000);
  write(answers.writing, bytes);
  look();
  while (!loop.turns().empty()) {
    loop.turns().take_next();
    look();
  }
  CAF_CHECK_EQUAL(closed, 0);
  answers.writing.reset();
  test::poll_all(loop);
  CAF_CHECK_EQUAL(closed, 1);
  CAF_CHECK(replies.empty());
}

CAF_TEST(a link that is closed while its piece waits reads nothing more) {
  auto bytes = frame(std::string(100'000, 'x'));
  write(answers.writing, bytes);
  std::string flood(40'000, 'l');
  write(log.writing, flood);
  look();
  CAF_REQUIRE(!loop.turns().empty());
  link->close();
  test::poll_all(loop);
  CAF_CHECK(loop.turns().empty());
  CAF_CHECK(replies.empty());
  CAF_CHECK_EQUAL(closed, 0);
  CAF_CHECK_EQUAL(link.use_count(), 1);
}

CAF_TEST_FIXTURE_SCOPE_END()
