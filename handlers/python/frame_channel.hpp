#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "handlers/python/channel_fds.hpp"
#include "handlers/wire/frames.hpp"
#include "handlers/wire/unique_fd.hpp"

namespace troupe::python {

/// An invoke frame where it was received.
struct invoke_frame {
  wire::invoke_header header;
  std::string_view event;
};

/// Whether this process is a copy that the handler forked after the channel was made. It has our descriptor and our
/// code, but must never answer.
bool in_forked_copy() noexcept;

/// The handler process's end of the channel to the node. Used by the thread that serves, with the GIL held; it is
/// released while waiting, since handlers may have threads.
class frame_channel {
public:
  /// Takes over both, moves them out of the way of handlers that close descriptors by number, and keeps them from
  /// programs that the handler starts.
  explicit frame_channel(channel_fds fds);

  /// Goes on with another channel in a copy of the process, where the descriptors of this one are closed already.
  void reopen(channel_fds fds);

  /// The next frame; its views hold until `discard`. nullopt when the node closed the channel, or the handler did, when
  /// what came is no invoke frame, and in a forked copy (signal handlers run here, and may fork).
  std::optional<invoke_frame> receive();

  /// Gives back the room of the frame that `receive` returned.
  void discard() noexcept;

  /// Sends a reply; false when the node is gone. Not to be called in a forked copy.
  bool send(const wire::reply_header& header, std::string_view payload);

private:
  void take(channel_fds fds);
  std::string_view received() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }
  void make_room(size_t frame_bytes);
  bool read_more();

  unique_fd events_;
  unique_fd answers_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t current_ = 0; ///< bytes of the frame that `receive` returned
  std::string reply_;  ///< prefix and header of the reply; kept for its capacity
};

} // namespace troupe::python
