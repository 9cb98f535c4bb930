#pragma once

#include <utility>

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace troupe::python {

/// Owns one reference to a Python object; empty after a call that raised. Only with the GIL held.
class ref {
public:
  ref() noexcept = default;
  ref(ref&& other) noexcept : object_{std::exchange(other.object_, nullptr)} {}
  ref& operator=(ref&& other) noexcept {
    PyObject* old = std::exchange(object_, std::exchange(other.object_, nullptr));
    Py_XDECREF(old);
    return *this;
  }
  ~ref() { Py_XDECREF(object_); }

  /// Takes over what an API function returned as a new reference; nullptr is fine.
  static ref steal(PyObject* object) noexcept { return ref{object}; }

  /// Shares what somebody else owns.
  static ref share(PyObject* object) noexcept { return ref{Py_XNewRef(object)}; }

  PyObject* get() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

private:
  explicit ref(PyObject* object) noexcept : object_{object} {}

  PyObject* object_ = nullptr;
};

/// Lets other threads of the handler run Python code while it lives.
class without_gil {
public:
  without_gil() noexcept : state_{PyEval_SaveThread()} {}
  without_gil(const without_gil&) = delete;
  without_gil& operator=(const without_gil&) = delete;
  ~without_gil() { PyEval_RestoreThread(state_); }

private:
  PyThreadState* state_;
};

} // namespace troupe::python
