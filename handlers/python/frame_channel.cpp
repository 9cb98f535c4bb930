#include "handlers/python/frame_channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include "handlers/python/ref.hpp"

namespace troupe::python {

namespace {

/// Where the channel lives: behind what a handler usually opens, before the kernel's first descriptor table ends (64).
constexpr int channel_numbers_from = 62;

/// What the buffer holds from one frame to the next; larger frames get room of their own, once.
constexpr size_t kept_bytes = 64 * 1024;

/// Set in copies of the process that the handler forked.
bool forked_copy = false;

/// The same descriptor at its new place, which programs that the handler starts do not get.
unique_fd moved_away(int fd) {
  if (const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, channel_numbers_from); moved >= 0) {
    ::close(fd);
    return unique_fd{moved};
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC); // the descriptor limit is lower: it stays where it is
  return unique_fd{fd};
}

/// Waits without the GIL: for a full channel, and for one that was made non-blocking. 0, or errno.
int wait_for(const unique_fd& fd, short events) {
  pollfd entry{fd.get(), events, 0};
  const without_gil others_may_run;
  if (::poll(&entry, 1, -1) < 0)
    return errno;
  return (entry.revents & POLLNVAL) != 0 ? EBADF : 0;
}

/// Lets Python's own signal handlers run. What they raise here belongs to no invocation: it is printed to the log, and
/// SystemExit ends the process.
void run_signal_handlers() {
  if (PyErr_CheckSignals() < 0)
    PyErr_Print();
}

} // namespace

bool in_forked_copy() noexcept {
  return forked_copy;
}

frame_channel::frame_channel(channel_fds fds) {
  ::pthread_atfork(nullptr, nullptr, [] { forked_copy = true; });
  take(fds);
}

void frame_channel::reopen(channel_fds fds) {
  events_.release();
  answers_.release();
  take(fds);
}

void frame_channel::take(channel_fds fds) {
  events_ = moved_away(fds.events);
  answers_ = moved_away(fds.answers);
  // Almost always there is room for an answer, and then giving up the GIL to write it is not worth it.
  ::fcntl(answers_.get(), F_SETFL, O_NONBLOCK);
}

std::optional<invoke_frame> frame_channel::receive() {
  for (;;) {
    size_t wanted = wire::prefix_bytes;
    if (const auto prefix = wire::read_prefix(received())) {
      if (!wire::acceptable(*prefix))
        return std::nullopt;
      wanted = prefix->total();
      if (received().size() >= wanted) {
        current_ = wanted;
        const auto header = wire::decode_invoke(received().substr(wire::prefix_bytes, prefix->header_bytes));
        if (!header)
          return std::nullopt;
        return invoke_frame{*header,
                            received().substr(wire::prefix_bytes + prefix->header_bytes, prefix->payload_bytes)};
      }
    }
    make_room(wanted);
    if (!read_more())
      return std::nullopt;
  }
}

void frame_channel::discard() noexcept {
  begin_ += std::exchange(current_, 0);
  if (begin_ < end_)
    return;
  begin_ = end_ = 0;
  if (capacity_ > kept_bytes) {
    buffer_.reset();
    capacity_ = 0;
  }
}

bool frame_channel::send(const wire::reply_header& header, std::string_view payload) {
  wire::encode_reply(reply_, header, payload.size());
  iovec parts[] = {{reply_.data(), reply_.size()}, {const_cast<char*>(payload.data()), payload.size()}};
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    const auto sent = ::writev(answers_.get(), parts, 2);
    if (sent < 0) {
      const int why = errno == EAGAIN ? wait_for(answers_, POLLOUT) : errno;
      if (why == 0 || why == EINTR) // signals wait: what a handler does on them must not come into a frame
        continue;
      return false;
    }
    auto left = static_cast<size_t>(sent);
    for (auto& part : parts) {
      const auto step = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + step;
      part.iov_len -= step;
      left -= step;
    }
  }
  return true;
}

/// Afterwards a frame of that size fits behind `begin_`, and there is room to read into.
void frame_channel::make_room(size_t frame_bytes) {
  const auto have = end_ - begin_;
  const auto needed = std::max(frame_bytes, kept_bytes);
  if (needed > capacity_) {
    auto larger = std::make_unique_for_overwrite<char[]>(needed);
    std::copy_n(buffer_.get() + begin_, have, larger.get());
    buffer_ = std::move(larger);
    capacity_ = needed;
  } else if (begin_ + frame_bytes > capacity_) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, have);
  } else {
    return;
  }
  begin_ = 0;
  end_ = have;
}

bool frame_channel::read_more() {
  for (;;) {
    const auto [got, failure] = [this] {
      const without_gil others_may_run;
      const auto size = ::read(events_.get(), buffer_.get() + end_, capacity_ - end_);
      return std::pair{size, errno};
    }();
    if (got > 0) {
      end_ += static_cast<size_t>(got);
      return true;
    }
    if (got == 0)
      return false;
    const int why = failure == EAGAIN ? wait_for(events_, POLLIN) : failure;
    if (why != 0 && why != EINTR)
      return false;
    if (why == EINTR)
      run_signal_handlers();
    if (forked_copy)
      return false;
  }
}

} // namespace troupe::python
