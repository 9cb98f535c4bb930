#include "handlers/python/host_module.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/random.h>

#include "config/limits.hpp"
#include "handlers/python/ref.hpp"

namespace troupe::python {

namespace {

/// One process runs one invocation at a time, on one thread; others that call request_id() hold the GIL.
std::string current_request_id;

PyObject* request_id_as_object(PyObject*, PyObject*) {
  return PyUnicode_DecodeUTF8(current_request_id.data(), static_cast<Py_ssize_t>(current_request_id.size()), "replace");
}

/// time.strftime would do, but a new sandbox would copy pages for the machine's time zones.
PyObject* log_stream_name(PyObject*, PyObject* version) {
  std::array<uint64_t, 2> random{};
  if (::getrandom(random.data(), sizeof random, 0) != sizeof random)
    return PyErr_SetFromErrno(PyExc_OSError);
  const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())};
  char date[16];
  char number[33];
  std::snprintf(date, sizeof date, "%04d/%02u/%02u", static_cast<int>(today.year()),
                static_cast<unsigned>(today.month()), static_cast<unsigned>(today.day()));
  std::snprintf(number, sizeof number, "%016jx%016jx", static_cast<uintmax_t>(random[0]),
                static_cast<uintmax_t>(random[1]));
  return PyUnicode_FromFormat("%s/[%U]%s", date, version, number);
}

PyMethodDef methods[] = {
  {"request_id", request_id_as_object, METH_NOARGS, "The id of the invocation that runs, or ran last."},
  {"log_stream_name", log_stream_name, METH_O, "A new one for a version, with today's date, as AWS makes them."},
  {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
  PyModuleDef_HEAD_INIT, "troupe_host", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

PyObject* make_module() {
  auto module = ref::steal(PyModule_Create(&definition));
  const auto names = ref::steal(PyDict_Keys(PyImport_GetModuleDict()));
  const auto add = [&module](const char* name, size_t value) {
    return PyModule_AddIntConstant(module.get(), name, static_cast<long>(value)) == 0;
  };
  if (!module || !names || PyModule_AddObjectRef(module.get(), "modules_at_start", names.get()) < 0
      || !add("error_text_chars_max", limits::error_text_chars_max)
      || !add("stack_frames_max", limits::stack_frames_max)
      || !add("stack_line_chars_max", limits::stack_line_chars_max))
    return nullptr;
  return Py_NewRef(module.get());
}

} // namespace

void register_host_module() {
  if (PyImport_AppendInittab("troupe_host", make_module) < 0) {
    std::fputs("troupe-python3: no memory for the module table\n", stderr);
    std::exit(1);
  }
}

void set_request_id(std::string_view id) {
  current_request_id = id;
}

std::string_view request_id() noexcept {
  return current_request_id;
}

} // namespace troupe::python
