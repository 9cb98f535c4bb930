#pragma once

#include "handlers/wire/frames.hpp"

#include <optional>
#include <span>
#include <string>

namespace troupe::wire {

/// Of a long reply, read at a time. What first touching so many pages costs is what others may have to wait for.
inline constexpr size_t long_piece_bytes = 64 * 1024;

/// A whole frame from a handler process.
struct reply {
  reply_header header;
  std::string payload;
};

/// Makes replies of the bytes that a handler process writes, which are a stranger's. A short one is copied out of a
/// small buffer; a long one is read into the string that leaves with it, which takes memory as its bytes arrive and not
/// as they are announced. First touching a page is what a long answer costs, so none is touched twice.
class reply_reader {
public:
  /// Where the next bytes are to be read to; never empty.
  std::span<char> room();

  /// So many bytes have been read to `room()`. Then `next` has to be called until it has nothing.
  void came(size_t bytes) noexcept { (long_ ? long_->filled : end_) += bytes; }

  /// The next reply that has arrived as a whole, in their order.
  std::optional<reply> next();

  /// What comes next belongs to a reply that is longer than the small buffer.
  bool is_long() const noexcept { return long_.has_value(); }

  /// What came is no frame, and nothing will come any more.
  bool broken() const noexcept { return broken_; }

private:
  struct long_reply {
    reply what;
    size_t filled = 0; ///< of its payload
    size_t total = 0;  ///< bytes that were announced
  };

  std::optional<reply> take_long();
  void begin_long(const reply_header& header, std::string_view begun, size_t total);
  void make_room() noexcept;

  std::string small_ = std::string(16 * 1024, '\0');
  size_t begin_ = 0; ///< of what was read to `small_` and not taken
  size_t end_ = 0;
  std::optional<long_reply> long_; ///< what comes is its payload
  bool broken_ = false;
};

} // namespace troupe::wire
