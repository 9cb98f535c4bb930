#include "handlers/python/fork_hooks.hpp"

#include "handlers/python/ref.hpp"

namespace troupe::python {

namespace {

bool cloning = false;

/// os.register_at_fork itself, while another stands in its place.
PyObject* registering = nullptr;

PyObject* call_unless_cloning(PyObject* hook, PyObject*) {
  return cloning ? Py_NewRef(Py_None) : PyObject_CallNoArgs(hook);
}

PyMethodDef quiet_hook = {"quiet_hook", call_unless_cloning, METH_NOARGS, nullptr};

/// Each hook as one that is quiet at clones. Which there are, and their order at a fork, is CPython's matter as ever.
PyObject* register_quiet(PyObject*, PyObject* arguments, PyObject* hooks) {
  const auto quiet = ref::steal(PyDict_New());
  PyObject* name = nullptr; // borrowed, both
  PyObject* hook = nullptr;
  for (Py_ssize_t at = 0; quiet && hooks != nullptr && PyDict_Next(hooks, &at, &name, &hook);) {
    const auto quiet_one = ref::steal(PyCFunction_New(&quiet_hook, hook));
    if (!quiet_one || PyDict_SetItem(quiet.get(), name, quiet_one.get()) < 0)
      return nullptr;
  }
  return quiet ? PyObject_Call(registering, arguments, quiet.get()) : nullptr;
}

// The cast is Python's own way to say what the flags say.
PyMethodDef register_method = {"register_at_fork",
                               reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(register_quiet)),
                               METH_VARARGS | METH_KEYWORDS, nullptr};

bool replace_register(PyObject* by) {
  const auto os = ref::steal(PyImport_ImportModule("os"));
  return os && PyObject_SetAttrString(os.get(), register_method.ml_name, by) == 0;
}

} // namespace

bool begin_quiet_hooks() {
  const auto os = ref::steal(PyImport_ImportModule("os"));
  registering = os ? PyObject_GetAttrString(os.get(), register_method.ml_name) : nullptr;
  const auto quiet = ref::steal(registering != nullptr ? PyCFunction_New(&register_method, nullptr) : nullptr);
  return quiet && replace_register(quiet.get());
}

bool end_quiet_hooks() {
  return replace_register(registering);
}

void before_fork() {
  cloning = true;
  PyOS_BeforeFork();
}

void after_fork_parent() {
  PyOS_AfterFork_Parent();
  cloning = false;
}

void after_fork_child() {
  PyOS_AfterFork_Child();
  cloning = false;
}

} // namespace troupe::python
