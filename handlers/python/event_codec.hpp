#pragma once

#include <string_view>

#include "handlers/python/ref.hpp"

namespace troupe::python {

/// Turns payloads into Python objects and back, with the C scanner and encoder of Python's json module, called
/// without the module's Python functions around them: that halves the time. Holds its own references, so handlers may
/// do to the json module what they like. Used by one thread at a time, with the GIL held.
class event_codec {
public:
  /// Imports what is needed; false with a Python exception set. `fallback` is called for objects that JSON does not
  /// know, as `default` of json.JSONEncoder.
  bool prepare(PyObject* fallback);

  /// The event in `bytes`; an empty payload is an empty dict. Accepts what json.loads accepts, NaN included, but
  /// UTF-8 only. Empty with a Python exception set: MemoryError, or whatever means that it is not JSON.
  ref decode(std::string_view bytes) const;

  /// `answer` as JSON text, ASCII only. Empty with a Python exception set when it has no JSON form; NaN and the
  /// infinities have none.
  ref encode(PyObject* answer) const;

private:
  ref scan_;
  ref encode_;
  ref markers_; ///< the containers on the way down, by id: how the encoder sees circles
  ref zero_;
  ref no_text_;
};

} // namespace troupe::python
