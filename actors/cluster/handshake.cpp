#include "actors/cluster/handshake.hpp"

#include "config/errc.hpp"

#include <array>

namespace troupe::cluster {

namespace {

struct frame {
  frame_kind kind = frame_kind::hello;
  std::string body;
};

caf::error broken(channel& over, const error_code& problem) {
  const bool of_tls = problem.category() == boost::asio::error::get_ssl_category();
  return make_error(of_tls ? errc::conflict : errc::unavailable, over.words(problem));
}

caf::error nonsense() {
  return make_error(errc::unavailable,
                    "does not speak the cluster's protocol: is it a node, and is TLS on with both or with none?");
}

task<caf::expected<frame>> read_frame(std::shared_ptr<channel> over) {
  std::array<char, frame_prefix_bytes> bytes;
  auto problem = co_await over->read(boost::asio::buffer(bytes));
  if (problem)
    co_return broken(*over, problem);
  const auto prefix = decode_prefix({bytes.data(), bytes.size()});
  if (!prefix)
    co_return nonsense();
  frame result{prefix->kind, std::string(prefix->body_bytes, '\0')};
  problem = co_await over->read(boost::asio::buffer(result.body));
  if (problem)
    co_return broken(*over, problem);
  co_return result;
}

caf::error refused_by(const handshake& terms, const frame& with) {
  if (with.kind == frame_kind::later && terms.is_later)
    terms.is_later();
  return make_error(errc::conflict, "refuses: " + decode_refusal(with.body));
}

bool is_refusal(const frame& what) {
  return what.kind == frame_kind::refusal || what.kind == frame_kind::later;
}

std::optional<refusal> objection(const handshake& terms, const hello& theirs,
                                 const std::optional<std::string>& certificate_name) {
  if (auto reason = judge(terms.mine, theirs, certificate_name))
    return refusal{frame_kind::refusal, std::move(*reason)};
  return terms.admit ? terms.admit(theirs) : std::nullopt;
}

/// Reads a hello, judges it, and tells the other side when it is refused.
task<caf::expected<hello>> meet(std::shared_ptr<channel> over, const handshake& terms) {
  auto got = co_await read_frame(over);
  if (!got)
    co_return got.error();
  if (is_refusal(*got))
    co_return refused_by(terms, *got);
  const auto theirs = got->kind == frame_kind::hello ? decode_hello(got->body) : std::nullopt;
  if (!theirs)
    co_return nonsense();
  const auto against = objection(terms, *theirs, over->certificate_name());
  if (!against)
    co_return *theirs;
  if (against->kind == frame_kind::later && terms.is_later)
    terms.is_later();
  const auto problem = co_await over->write(encode_refusal(*against));
  if (!problem)
    co_await over->part();
  co_return make_error(errc::conflict, "is refused: " + against->reason);
}

task<caf::expected<hello>> greet(std::shared_ptr<channel> over, const handshake& terms) {
  // Not to have been able to write says less than what the other side may have said before it hung up.
  co_await over->write(encode_frame(terms.mine));
  auto theirs = co_await meet(over, terms);
  if (!theirs)
    co_return theirs.error();
  const auto problem = co_await over->write(encode_welcome());
  if (problem)
    co_return broken(*over, problem);
  co_return *theirs;
}

task<caf::expected<hello>> receive(std::shared_ptr<channel> over, const handshake& terms) {
  auto theirs = co_await meet(over, terms);
  if (!theirs)
    co_return theirs.error();
  const auto problem = co_await over->write(encode_frame(terms.mine));
  if (problem)
    co_return broken(*over, problem);
  auto verdict = co_await read_frame(over);
  if (!verdict)
    co_return verdict.error();
  if (is_refusal(*verdict))
    co_return refused_by(terms, *verdict);
  if (verdict->kind != frame_kind::welcome)
    co_return nonsense();
  co_return *theirs;
}

} // namespace

task<caf::expected<hello>> shake_hands(std::shared_ptr<channel> over, handshake terms) {
  const auto problem = co_await over->secure(terms.side);
  if (problem) {
    auto failure = broken(*over, problem);
    co_await over->part(); // TLS has told the other side why.
    co_return failure;
  }
  if (terms.side == direction::dialled) {
    auto met = co_await greet(over, terms);
    co_return met;
  }
  auto met = co_await receive(over, terms);
  co_return met;
}

} // namespace troupe::cluster
