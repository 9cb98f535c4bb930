#define CAF_SUITE actors.sandbox_link

#include "actors/sandbox_link.hpp"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "config/limits.hpp"

#include "actor_fixture.hpp"

using namespace troupe;

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

struct link_fixture {
  link_fixture() {
    handlers::sandbox_process process;
    process.events = std::move(events.writing);
    process.answers = std::move(answers.reading);
    process.log = std::move(log.reading);
    link = sandbox_link::make(loop, loop.turns().lane_of("a"), process,
                              {.on_reply = [this](wire::reply reply) { replies.push_back(std::move(reply.payload)); },
                               .on_closed = [this] { ++closed; },
                               .on_deadline = [] {},
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
  std::vector<std::string> replies;
  int closed = 0;
  std::shared_ptr<sandbox_link> link;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(sandbox_link_tests, link_fixture)

CAF_TEST(a short answer is there at the look that finds it) {
  auto bytes = frame("first") + frame("second");
  write(answers.writing, bytes);
  look();
  CAF_CHECK(loop.turns().empty());
  CAF_REQUIRE_EQUAL(replies.size(), 2u);
  CAF_CHECK_EQUAL(replies[1], "second");
}

CAF_TEST(another tenant has a turn between two pieces of a long answer) {
  const std::string payload(limits::mib, 'x');
  auto bytes = frame(payload);
  neighbour other;
  int pieces = 0;
  while (replies.empty()) {
    CAF_REQUIRE(pieces < 100);
    write(answers.writing, bytes);
    look();
    if (loop.turns().empty())
      continue;
    // The neighbour comes later, and is next after this piece.
    loop.turns().wait(other, loop.turns().lane_of("b"));
    loop.turns().take_next();
    const int before = other.turns;
    loop.turns().take_next();
    CAF_CHECK_EQUAL(other.turns, before + 1);
    CAF_CHECK(loop.turns().empty()); // the next piece waits for a look
    ++pieces;
  }
  CAF_CHECK(pieces >= static_cast<int>(payload.size() / wire::long_piece_bytes));
  CAF_CHECK_EQUAL(other.turns, pieces);
  CAF_CHECK(replies[0] == payload);
}

CAF_TEST(a flood of the log waits for turns and what it takes is bounded) {
  int turns = 0;
  for (int round = 0; round < 50; ++round) {
    std::string flood(limits::mib, 'l');
    write(log.writing, flood);
    look();
    CAF_REQUIRE(!loop.turns().empty());
    loop.turns().take_next();
    ++turns;
    CAF_CHECK(loop.turns().empty());
  }
  std::string last = "the end";
  write(log.writing, last);
  const auto tail = link->take_log();
  CAF_CHECK_EQUAL(tail.size(), limits::log_tail_bytes);
  CAF_CHECK(tail.ends_with("the end"));
  CAF_CHECK_EQUAL(turns, 50);
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
