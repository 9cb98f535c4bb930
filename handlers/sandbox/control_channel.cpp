#include "handlers/sandbox/control_channel.hpp"

#include "config/errc.hpp"
#include "config/limits.hpp"
#include "handlers/sandbox/process.hpp"
#include "handlers/wire/fd_passing.hpp"

namespace troupe::handlers {
namespace {

caf::error failed(std::string what) {
  return make_error(errc::sandbox_failed, std::move(what));
}

} // namespace

caf::expected<control_channel::answer> control_channel::ask(const zygote_request& request, std::span<const int> fds,
                                                            reply_kind expected) {
  if (auto err = send(request, fds))
    return err;
  return receive(expected, reply_time_);
}

caf::error control_channel::send(const zygote_request& request, std::span<const int> fds) {
  return wire::send_message(socket_.get(), bytes_of(request), fds) ? caf::error{} : lose("it takes no requests");
}

caf::expected<control_channel::answer> control_channel::receive(reply_kind expected, std::chrono::milliseconds limit) {
  if (!wait_readable(socket_.get(), limit))
    return lose("it does not answer");
  auto message = wire::receive_message(socket_.get(), sizeof(zygote_reply));
  if (!message)
    return lose("it has ended");
  const auto reply = message_of<zygote_reply>(message->bytes);
  if (reply && reply->kind == expected)
    return answer{*reply, std::move(message->fds)};
  if (belief_ == belief::full)
    for (const unique_fd& process : message->fds) // a child that could not be completed
      kill_and_reap(process.get(), limits::kill_time_max);
  if (reply && reply->kind == reply_kind::failed)
    return failed(reply->failure.text());
  return lose("its answer is to another question");
}

caf::error control_channel::lose(const char* why) {
  lost_ = true;
  return failed(name_ + " is lost: " + why);
}

void control_channel::kill_unreported() {
  while (auto message = wire::receive_message(socket_.get(), sizeof(zygote_reply)))
    for (const unique_fd& process : message->fds)
      kill_and_reap(process.get(), limits::kill_time_max);
}

} // namespace troupe::handlers
