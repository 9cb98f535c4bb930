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
/// which it came. Who has brought nothing since the last round goes before those who always have something waiting,
/// once, as new flows do in FQ-CoDel (RFC 8290); so what comes once in a while waits for the turn that is going on and
/// for others like it, however much else there is. Tenants are told apart by lanes, of which there is a fixed number
/// (stochastic fair queueing): nothing is kept of a tenant, and two that share a lane by chance share its turns. Pure;
/// not thread-safe.
class turns {
public:
  using lane = uint16_t;

  /// `salt`: which tenants share a lane should differ from start to start.
  explicit turns(uint64_t salt) noexcept : salt_{salt} {}

  lane lane_of(std::string_view tenant) const noexcept;

  /// For somebody whose tenant is not known yet: another one each time.
  lane any() noexcept { return any_ = static_cast<lane>((any_ + 1) % lanes); }

  void wait(turn& who, lane of) noexcept;

  /// For somebody who has begun something that others of its lane should not hold up: goes before what they bring.
  void go_on(turn& who, lane of) noexcept;

  bool empty() const noexcept { return waiting_ == 0; }

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
  using queues = boost::intrusive::list<queue, boost::intrusive::constant_time_size<false>>;

  static constexpr size_t lanes = 1024;
  /// So many newcomers in a row, and then one of the others goes, or they would wait for ever behind a flood of those.
  static constexpr int newcomers_max = 8;

  void enter(queue& its) noexcept;
  queue& take_lane() noexcept;

  uint64_t salt_;
  lane current_ = 0;
  lane any_ = 0;
  size_t waiting_ = 0;
  int newcomers_in_a_row_ = 0;
  std::array<queue, lanes> queues_;
  queues new_;   ///< those who had brought nothing since the last round
  queues round_; ///< the others; who has nothing waiting leaves it when it is next
};

} // namespace troupe
