#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::handlers {

using package_set = std::set<std::string>;

/// Which zygotes with packages there should be, and which of them a sandbox is cloned from: decisions alone, without
/// processes and clocks. One thread.
///
/// The root is the bare zygote. Each branch is a set of packages, those that some function imports or that two have in
/// common, and is cloned from the zygote that has most of it, as in SOCK ("Rapid Task Provisioning with
/// Serverless-Optimized Containers", 2018). A function gets no zygote with a package that it does not import.
///
/// What is kept is decided by greedy-dual (Cherkasova's GDSF): a branch is worth the import time that its uses have
/// saved, a MiB, and that on top of what the last one was worth that had to go, so that what was once in demand goes in
/// the end. A branch outlives the one that it was cloned from.
class zygote_tree {
public:
  using id = uint32_t;
  static constexpr id root = 0;

  /// Zygotes hold that much together, as measured when each was made.
  explicit zygote_tree(uint64_t memory_bytes) : memory_bytes_{memory_bytes} {}

  /// Which zygote a sandbox is cloned from whose function imports `wanted`, and whose bundle carries modules of its
  /// own. Counts who would have gained from a zygote that there is not.
  id choose(const package_set& wanted, const std::set<std::string>& carried);

  struct growth {
    id number = root;
    id parent = root;
    std::vector<std::string> packages; ///< what the parent lacks
  };

  /// Whether there is one to make, and none is being made.
  bool wants_one() const { return most_wanted().has_value(); }

  /// The zygote to make next, once launches have asked for it; none while one is being made. It counts as being made
  /// until one of the next four is called.
  std::optional<growth> next();

  struct measure {
    std::chrono::microseconds import_time{0}; ///< of what the parent lacked
    uint64_t memory_bytes = 0;                ///< its own, without what it shares
    std::set<std::string> loaded;             ///< packages in it that the parent did not have, by their top-level names
  };

  /// It can launch. Returns those that have to go for it: maybe itself, when it is not worth its memory.
  std::vector<id> grown(id which, measure what);

  /// It cannot be made, because of that package of its set when it is known; neither is tried again.
  void refuse(id which, const std::string& culprit);

  /// It could not be made this time, for a reason that is not its own.
  void put_off(id which);

  /// Its process has ended. Made again when asked for, a few times.
  void lost(id which);

  /// Of one that any call has named since the last `choose`, or that lives.
  const package_set& packages_of(id which) const { return branches_.at(which).packages; }
  uint64_t memory_used() const;
  size_t size() const; ///< how many there are besides the root

private:
  enum class stage : uint8_t { wanted, growing, alive, refused };

  struct branch {
    package_set packages;
    stage now = stage::wanted;
    uint32_t misses = 0; ///< launches that would have gained from it
    uint32_t uses = 0;   ///< launches from it, and the misses that made it
    uint32_t deaths = 0;
    uint64_t asked = 0;                       ///< when a launch last asked for it or more
    std::chrono::microseconds import_time{0}; ///< of all its packages; 0: not measured yet
    std::chrono::microseconds inherited{0};   ///< of these, of the one that it was cloned from
    uint64_t memory_bytes = 0;
    std::set<std::string> loaded; ///< its parent's included
    double worth = 0;
  };

  id best_for(const package_set& wanted, const std::set<std::string>& carried) const;
  void count_misses(const package_set& wanted, id best);
  bool is_known(const package_set& set) const;
  void note(const package_set& wanted);
  void add(package_set packages, uint32_t misses);
  void forget_one();
  void ban(const std::string& package);
  double value_of(const branch& of, uint32_t uses) const;
  bool may_have_room(const branch& of) const;
  std::optional<id> most_wanted() const;
  std::map<id, branch>::iterator least_worth();

  uint64_t memory_bytes_;
  std::map<id, branch> branches_;
  std::set<std::string> banned_; ///< packages that no zygote can have
  double floor_ = 0;             ///< what the last one was worth that had to go
  uint64_t clock_ = 0;           ///< counts launches
  id last_ = root;
};

} // namespace troupe::handlers
