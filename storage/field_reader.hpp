#pragma once

#include "config/ids.hpp"
#include "storage/records.hpp"

#include <msgpack.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

/// Reads a msgpack map into a record by its field declaration (storage/fields.hpp). Only values.cpp includes this.
namespace troupe::storage {

using text_map = std::map<std::string, std::string>;

/// Puts one msgpack value into a member; false when it is not of that kind or does not fit.
inline bool put(std::string& member, std::string_view value) {
  member = value;
  return true;
}

template <class Integer>
  requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
bool put(Integer& member, uint64_t value) {
  if (!std::in_range<Integer>(value))
    return false;
  member = static_cast<Integer>(value);
  return true;
}

template <class Integer>
  requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
bool put(Integer& member, int64_t value) {
  if (!std::in_range<Integer>(value))
    return false;
  member = static_cast<Integer>(value);
  return true;
}

inline bool put(invocation_status& member, uint64_t value) {
  member = static_cast<invocation_status>(value);
  return value <= static_cast<uint64_t>(invocation_status::throttled);
}

inline bool put(bool& member, uint64_t value) {
  member = value == 1;
  return value <= 1;
}

inline bool put(network_access& member, uint64_t value) {
  member = static_cast<network_access>(value);
  return value <= static_cast<uint64_t>(network_access::egress);
}

inline bool put(trigger_kind& member, uint64_t value) {
  member = static_cast<trigger_kind>(value);
  return value <= static_cast<uint64_t>(trigger_kind::api);
}

template <class Id>
  requires(std::is_same_v<Id, uuid> || std::is_same_v<Id, digest>)
bool put(Id& member, std::string_view value) {
  if (value.size() != member.bytes.size())
    return false;
  std::copy(value.begin(), value.end(), member.bytes.begin());
  return true;
}

/// Says that the value is a map: the member then takes its pairs one after another.
struct map_begins {
  text_map* target = nullptr;
};

inline bool put(text_map& member, map_begins*& value) {
  member.clear();
  value->target = &member;
  return true;
}

/// A value that no member takes: nil, a fraction, an array.
struct unfit {};

template <class Member, class Value>
concept takes = requires(Member& member, Value& value) { put(member, value); };

/// The visitor of msgpack::parse. `Fields` calls its argument with each key and member of the record.
template <class Record, class Fields>
class field_reader : public msgpack::null_visitor {
public:
  field_reader(Record& record, Fields fields) : record_{record}, fields_{fields} {}

  /// Of the value: 0 when it had none.
  uint64_t version() const noexcept { return version_; }

  bool visit_nil() { return value(unfit{}); }
  bool visit_boolean(bool) { return value(unfit{}); }
  bool visit_float32(float) { return value(unfit{}); }
  bool visit_float64(double) { return value(unfit{}); }
  bool visit_ext(const char*, uint32_t) { return value(unfit{}); }
  bool visit_positive_integer(uint64_t number) { return value(number); }
  bool visit_negative_integer(int64_t number) { return value(number); }
  bool visit_str(const char* data, uint32_t size) { return text({data, size}); }
  bool visit_bin(const char* data, uint32_t size) { return text({data, size}); }

  bool start_array(uint32_t) {
    if (!value(unfit{}))
      return false;
    return ++depth_ <= depth_max;
  }
  bool end_array() {
    --depth_;
    return true;
  }

  bool start_map(uint32_t) {
    if (depth_ == 1) {
      map_begins begins;
      if (!value(&begins))
        return false;
      pairs_ = begins.target;
    } else if (pairs_) {
      return false;
    }
    return ++depth_ <= depth_max;
  }
  bool end_map() {
    if (--depth_ == 1)
      pairs_ = nullptr;
    return true;
  }

  bool start_map_key() {
    in_key_ = true;
    return true;
  }
  bool end_map_key() {
    in_key_ = false;
    return true;
  }

private:
  static constexpr int depth_max = 8; ///< of what is skipped

  bool text(std::string_view bytes) {
    if (depth_ == 1 && in_key_) {
      key_ = bytes;
      return true;
    }
    if (depth_ == 2 && pairs_) {
      if (in_key_)
        pair_ = bytes;
      else
        (*pairs_)[std::string{pair_}] = bytes;
      return true;
    }
    return value(bytes);
  }

  /// Takes a value of the record. Keys have to be texts, and so have both halves of the pairs.
  template <class Value>
  bool value(Value&& given) {
    if (depth_ == 0 || pairs_)
      return false;
    if (depth_ > 1)
      return true; // Inside of what is skipped.
    if (in_key_)
      return false;
    if (key_ == "v")
      return set(version_, given);
    bool fits = true;
    fields_(
      [this, &fits, &given](std::string_view key, auto& member) {
        if (key == key_)
          fits = set(member, given);
      },
      record_);
    return fits;
  }

  template <class Member, class Value>
  static bool set(Member& member, Value& given) {
    if constexpr (takes<Member, Value>)
      return put(member, given);
    else
      return false;
  }

  Record& record_;
  Fields fields_;
  std::string_view key_;
  std::string_view pair_;
  text_map* pairs_ = nullptr; ///< the member whose pairs are being read
  uint64_t version_ = 0;
  int depth_ = 0;
  bool in_key_ = false;
};

} // namespace troupe::storage
