#include "handlers/python/event_codec.hpp"

namespace troupe::python {

namespace {

bool is_space(Py_UCS4 c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Whether only white space follows `at`.
bool ends_at(PyObject* text, Py_ssize_t at) noexcept {
  const auto size = PyUnicode_GET_LENGTH(text);
  while (at < size && is_space(PyUnicode_READ_CHAR(text, at)))
    ++at;
  return at == size;
}

ref attribute(const ref& object, const char* name) {
  return object ? ref::steal(PyObject_GetAttrString(object.get(), name)) : ref{};
}

} // namespace

bool event_codec::prepare(PyObject* fallback) {
  const auto json = ref::steal(PyImport_ImportModule("json"));
  const auto encoder = ref::steal(PyImport_ImportModule("json.encoder"));
  const auto make_decoder = attribute(json, "JSONDecoder");
  const auto make_encoder = attribute(encoder, "c_make_encoder");
  const auto quote = attribute(encoder, "encode_basestring_ascii");
  if (!make_decoder || !make_encoder || !quote)
    return false;
  const auto decoder = ref::steal(PyObject_CallNoArgs(make_decoder.get()));
  scan_ = attribute(decoder, "scan_once");
  markers_ = ref::steal(PyDict_New());
  if (!scan_ || !markers_)
    return false;
  // markers, default, encoder, indent, key separator, item separator, sort_keys, skipkeys, allow_nan
  encode_ = ref::steal(PyObject_CallFunction(make_encoder.get(), "OOOOssOOO", markers_.get(), fallback, quote.get(),
                                             Py_None, ": ", ", ", Py_False, Py_False, Py_False));
  zero_ = ref::steal(PyLong_FromLong(0));
  no_text_ = ref::steal(PyUnicode_FromString(""));
  return encode_ && zero_ && no_text_;
}

ref event_codec::decode(std::string_view bytes) const {
  if (bytes.empty())
    return ref::steal(PyDict_New());
  size_t skip = 0;
  while (skip < bytes.size() && is_space(static_cast<unsigned char>(bytes[skip])))
    ++skip;
  bytes.remove_prefix(skip);
  const auto text = ref::steal(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), nullptr));
  if (!text)
    return {};
  PyObject* arguments[] = {text.get(), zero_.get()};
  const auto found = ref::steal(PyObject_Vectorcall(scan_.get(), arguments, 2, nullptr)); // (value, where it ends)
  if (!found)
    return {};
  const auto end = PyLong_AsSsize_t(PyTuple_GET_ITEM(found.get(), 1));
  if (!ends_at(text.get(), end)) {
    PyErr_Format(PyExc_ValueError, "Extra data (char %zd)", end + static_cast<Py_ssize_t>(skip));
    return {};
  }
  return ref::share(PyTuple_GET_ITEM(found.get(), 0));
}

ref event_codec::encode(PyObject* answer) const {
  PyObject* arguments[] = {answer, zero_.get()};
  const auto pieces = ref::steal(PyObject_Vectorcall(encode_.get(), arguments, 2, nullptr)); // a tuple of strings
  if (!pieces) {
    PyDict_Clear(markers_.get());
    return {};
  }
  return ref::steal(PyUnicode_Join(no_text_.get(), pieces.get()));
}

} // namespace troupe::python
