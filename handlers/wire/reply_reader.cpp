#include "handlers/wire/reply_reader.hpp"

#include <algorithm>
#include <utility>

namespace troupe::wire {

std::span<char> reply_reader::room() {
  if (!long_)
    return std::span{small_}.subspan(end_);
  auto& payload = long_->what.payload;
  payload.resize(std::min(long_->total, long_->filled + long_piece_bytes));
  return std::span{payload}.subspan(long_->filled);
}

std::optional<reply> reply_reader::next() {
  if (long_)
    return take_long();
  const auto come = std::string_view{small_}.substr(begin_, end_ - begin_);
  const auto prefix = read_prefix(come);
  if (prefix) {
    // No reply has a header that is anywhere near as long as the buffer.
    const size_t head = prefix_bytes + prefix->header_bytes;
    if (!acceptable(*prefix) || head > small_.size()) {
      broken_ = true;
      return std::nullopt;
    }
    if (come.size() >= head) {
      const auto header = decode_reply(come.substr(prefix_bytes, prefix->header_bytes));
      if (!header) {
        broken_ = true;
        return std::nullopt;
      }
      const auto payload = come.substr(head, prefix->payload_bytes);
      if (payload.size() == prefix->payload_bytes) {
        begin_ += prefix->total();
        return reply{*header, std::string{payload}};
      }
      if (prefix->total() > small_.size()) {
        begin_long(*header, payload, prefix->payload_bytes);
        return std::nullopt;
      }
    }
  }
  make_room();
  return std::nullopt;
}

std::optional<reply> reply_reader::take_long() {
  if (long_->filled < long_->total)
    return std::nullopt;
  auto whole = std::move(long_->what);
  long_.reset();
  return whole;
}

void reply_reader::begin_long(const reply_header& header, std::string_view begun, size_t total) {
  auto& its = long_.emplace(long_reply{{header, {}}, begun.size(), total});
  its.what.payload.reserve(total); // addresses only: a page is taken when it is written to
  its.what.payload = begun;
  begin_ = end_ = 0;
}

/// Moves what is not taken to the beginning of the buffer.
void reply_reader::make_room() noexcept {
  if (begin_ == 0)
    return;
  std::copy(small_.begin() + static_cast<std::ptrdiff_t>(begin_), small_.begin() + static_cast<std::ptrdiff_t>(end_),
            small_.begin());
  end_ -= std::exchange(begin_, 0);
}

} // namespace troupe::wire
