#pragma once

#include <boost/intrusive/list.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe {

/// Something that waits for its turn on the io thread. It may not end while it waits.
class turn : public boost::intrusive::list_base_hook<boost::intrusive::tag<class turn_tag>> {
public:
  /// The turn has come; it waits no more.
  virtual void take() = 0;

protected:
  ~turn() = default;
};

/// Who goes next on the io thread: tenants take turns (round robin), and what one of them brings goes in the order in
/// which it came. So a tenant that asks once in a while has one piece of work of each other tenant before it, however
/// much another has brought at one time. Tenants are told apart by lanes, of which there is a fixed number (stochastic
/// fair queueing): nothing is kept of a tenant, and two that share a lane by chance share its turns. Pure; not
/// thread-safe.
class turns {
public:
  using lane = uint16_t;

  /// `salt`: which tenants share a lane should differ from start to start.
  explicit turns(uint64_t salt) noexcept : salt_{salt} {}

  lane lane_of(std::string_view tenant) const noexcept;

  /// For somebody whose tenant is not known yet: another one each time.
  lane any() noexcept { return any_ = static_cast<lane>((any_ + 1) % lanes); }

  void wait(turn& who, lane of) noexcept;

  bool empty() const noexcept { return busy_.empty(); }

  /// Somebody has to be waiting.
  void take_next();

  /// Whose turn it is; 0, a lane like any other, outside of turns.
  lane current() const noexcept { return current_; }

private:
  struct queue : boost::intrusive::list_base_hook<> {
    boost::intrusive::list<turn, boost::intrusive::base_hook<turn::list_base_hook>,
                           boost::intrusive::constant_time_size<false>>
      waiting;
  };

  static constexpr size_t lanes = 1024;

  uint64_t salt_;
  lane current_ = 0;
  lane any_ = 0;
  std::array<queue, lanes> queues_;
  boost::intrusive::list<queue, boost::intrusive::constant_time_size<false>> busy_; ///< those with somebody waiting
};

} // namespace troupe
